// caudal runs, run, cancel, retry, dead-letters: what became of files, and what can be done about it.
import { RUN_STATES, type Run } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api, ServerEvent } from '../api.js';
import { Failure, WrongUse } from '../failure.js';
import { bytesText, table, type Terminal } from '../terminal.js';
import { answeredRun, hasEnded, isPassing, outcomeText } from './watch-run.js';

const PAGE = 100;
const RECONNECT_MS = 500;

export interface ListOptions {
  readonly pipeline?: string;
  readonly state?: string;
  readonly limit: number;
}

/** Newest first, as many as asked for, page by page. */
export async function listRuns(api: Api, terminal: Terminal, options: ListOptions): Promise<void> {
  if (options.state !== undefined && !(RUN_STATES as readonly string[]).includes(options.state)) {
    throw new WrongUse(`--state must be one of ${RUN_STATES.join(', ')}`);
  }
  const runs: Run[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(PAGE, options.limit - runs.length)) });
    if (options.pipeline !== undefined) query.set('pipeline', options.pipeline);
    if (options.state !== undefined) query.set('state', options.state);
    if (cursor !== null) query.set('cursor', cursor);
    const page = (await api.get(`/v1/runs?${query}`)) as unknown as { items: Run[]; next_cursor: string | null };
    runs.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && runs.length < options.limit);
  for (const run of runs) terminal.document(run);
  const rows = runs.map((run) => [
    run.id,
    run.pipeline,
    run.state,
    String(run.rows.accepted),
    String(run.rows.rejected),
    run.created_at,
    run.file_name ?? '',
  ]);
  const head = ['run', 'pipeline', 'state', 'accepted', 'rejected', 'created', 'file'];
  terminal.print(runs.length === 0 ? 'no runs yet' : table(head, rows));
}

/** Shows one run; with `follow` its events until it ends, which decides the exit code. */
export async function showRun(api: Api, terminal: Terminal, id: string, how: { follow: boolean }): Promise<void> {
  const path = `/v1/runs/${encodeURIComponent(id)}`;
  let run = (await api.get(path)) as unknown as Run;
  while (how.follow && !hasEnded(run)) {
    await showEvents(api, terminal, `${path}/events`);
    run = await answeredRun(api, id);
  }
  terminal.document(run);
  terminal.print(`run ${run.id} of ${run.pipeline}: ${outcomeText(run, terminal)}`);
  terminal.print(`${run.file_name ?? 'file without a name'}, ${bytesText(run.bytes)}, created ${run.created_at}`);
  const steps = run.steps.map((step) => [step.name, step.state, step.started_at ?? '', step.message ?? '']);
  terminal.print(table(['step', 'state', 'started', 'message'], steps));
  if (run.checks.length > 0) {
    const checks = run.checks.map((check) => [check.name, check.verdict, check.severity, check.reason ?? '']);
    terminal.print(table(['check', 'verdict', 'severity', 'reason'], checks));
  }
  if (how.follow && run.state !== 'completed') throw new Failure(`run ${run.id} is ${run.state}`);
}

/** Until the stream ends: with the run, or with ingest, which may be restarted meanwhile. */
async function showEvents(api: Api, terminal: Terminal, path: string): Promise<void> {
  try {
    for await (const event of api.events(path)) showEvent(event, terminal);
  } catch (error) {
    if (!isPassing(error)) throw error;
    terminal.tell('the connection broke off: waiting for ingest');
    await sleep(RECONNECT_MS);
  }
}

function showEvent({ event, data }: ServerEvent, terminal: Terminal): void {
  terminal.document({ event, data });
  terminal.print(`${terminal.paint.dim(event)} ${typeof data === 'object' ? JSON.stringify(data) : String(data)}`);
}

/** Asks for it; the answer's run tells what it came to. */
export async function cancelRun(api: Api, terminal: Terminal, id: string): Promise<void> {
  const run = (await api.post(`/v1/runs/${encodeURIComponent(id)}/cancel`, {})) as unknown as Run;
  terminal.document(run);
  terminal.print(`run ${run.id}: ${run.state}`);
}

export async function retryRun(
  api: Api,
  terminal: Terminal,
  id: string,
  how: { force: boolean; reason?: string },
): Promise<void> {
  if (how.force && how.reason === undefined) {
    throw new WrongUse('--force publishes what a check has refused: say why with --reason "..."');
  }
  const body = { force: how.force, ...(how.reason === undefined ? {} : { reason: how.reason }) };
  const run = (await api.post(`/v1/runs/${encodeURIComponent(id)}/retry`, body)) as unknown as Run;
  terminal.document(run);
  terminal.print(`run ${run.id}: ${run.state}`);
}

interface DeadLetter {
  row: number;
  line: number;
  column: string | null;
  code: string;
  message: string;
  raw: string;
}

/** All rejected rows of a run, page by page; `csv` prints them as the API's own CSV. */
export async function deadLetters(api: Api, terminal: Terminal, id: string, how: { csv: boolean }): Promise<void> {
  const path = `/v1/runs/${encodeURIComponent(id)}/dead-letters`;
  let cursor: string | null = null;
  let found = 0;
  do {
    const query: string = new URLSearchParams({
      limit: '1000',
      ...(cursor === null ? {} : { cursor }),
    }).toString();
    if (how.csv) {
      const { text, headers } = await api.text(`${path}?${query}`, 'text/csv');
      process.stdout.write(cursor === null ? text : text.slice(text.indexOf('\n') + 1));
      cursor = headers.get('x-next-cursor');
      continue;
    }
    const page = (await api.get(`${path}?${query}`)) as unknown as { items: DeadLetter[]; next_cursor: string | null };
    for (const letter of page.items) {
      found++;
      terminal.document(letter);
      const { row, line, code, message, raw } = letter;
      terminal.print(`row ${row} (line ${line}) ${terminal.paint.red(code)}: ${message}\n  ${oneLine(raw)}`);
    }
    cursor = page.next_cursor;
  } while (cursor !== null);
  if (!how.csv && found === 0) terminal.print('no row was rejected');
}

// Control characters in a cell would reach the terminal as commands.
// oxlint-disable-next-line no-control-regex
const oneLine = (raw: string): string => raw.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ').slice(0, 200);
