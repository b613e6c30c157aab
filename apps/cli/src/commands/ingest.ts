// caudal ingest FILE...: sends files to a pipeline, one after the other, and says what became of each.
import type { Run } from '#contracts';
import { basename } from 'node:path';
import { problem, type Api } from '../api.js';
import { Failure } from '../failure.js';
import type { Terminal } from '../terminal.js';
import { diffText, type Rehearsed } from './rehearsed.js';
import { sendFile } from './send-file.js';
import { outcomeText, untilEnded } from './watch-run.js';

export interface IngestOptions {
  readonly pipeline: string;
  /** False is a rehearsal, which is always waited for. */
  readonly save: boolean;
  readonly wait: boolean;
  readonly again?: string;
}

/**
 * In the order of names, so that daily files take effect day by day. A refused or failed file does not keep the next one
 * back; at the end it makes the command fail. What no file can pass (no answer, no access) ends it at once.
 */
export async function ingest(
  api: Api,
  terminal: Terminal,
  files: readonly string[],
  options: IngestOptions,
): Promise<void> {
  const query = new URLSearchParams({ save_to_db: String(options.save) });
  if (options.again !== undefined) {
    query.set('again', 'true');
    query.set('reason', options.again);
  }
  const path = `/v1/pipelines/${encodeURIComponent(options.pipeline)}/uploads?${query}`;
  let bad = 0;
  for (const file of [...files].sort((a, b) => (basename(a) < basename(b) ? -1 : 1))) {
    const { status, body } = await sendFile({ api, terminal, path, file });
    if (status === 422) {
      bad++;
      terminal.document({ file, ...body });
      terminal.print(`${file}: ${refusalText(body, terminal)}`);
      continue;
    }
    const sent = body as unknown as Run;
    const wait = options.wait || !options.save;
    const run = wait ? { ...(await untilEnded(api, terminal, sent.id)), duplicate: sent.duplicate } : sent;
    terminal.document({ file, ...run });
    terminal.print(`${file}: run ${run.id} ${wait ? outcomeText(run, terminal) : acceptedText(run)}`);
    if (!options.save && run.state === 'completed') terminal.print(diffText(run as unknown as Rehearsed, terminal));
    if (wait && run.state !== 'completed') bad++;
  }
  if (bad > 0) throw new Failure(bad === 1 ? '1 file was not taken in' : `${bad} files were not taken in`);
}

function acceptedText(run: Run): string {
  const known = run.duplicate ? ', these bytes were known already' : '';
  return `is ${run.state}: ${run.rows.accepted} rows accepted, ${run.rows.rejected} rejected${known}`;
}

interface FailedCheck {
  name: string;
  verdict: string;
  reason: string | null;
}

function refusalText(body: Record<string, unknown>, { paint }: Terminal): string {
  const checks = ((body.checks as FailedCheck[] | undefined) ?? []).filter((check) => check.verdict === 'fail');
  const lines = checks.map((check) => `  ${check.name}: ${check.reason ?? 'failed'}`);
  const run = typeof body.run === 'string' ? ` (run ${body.run})` : '';
  return [`${paint.red('rejected')}: ${problem(422, body).message}${run}`, ...lines].join('\n');
}
