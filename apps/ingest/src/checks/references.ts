// What a file is compared with: the evidence of an earlier accepted upload (kept in `run-parts`), or of a file by name.
import { dateDay, dateText, type CheckSpec, type Pipeline, type StoredRun } from '#contracts';
import type { EvidenceJson } from '#checks';
import type { RunParts } from '../runs/run-parts.js';
import type { RunStore } from '../runs/run-store.js';

/** `missing` says why there is nothing to compare with. */
export type FoundReference = { readonly evidence: EvidenceJson } | { readonly missing: string };

export interface ReferencesOptions {
  store: Pick<RunStore, 'get' | 'newest'>;
  parts: Pick<RunParts, 'read'>;
  /** Reads a file below the data folder's `files/` as this pipeline does, for this run. */
  readFile: (file: string, pipeline: Pipeline, run: StoredRun) => Promise<FoundReference>;
}

const KEPT = 16;
const KEPT_DAYS = 10_000;
/** Airflow's own default for interval_check. */
const AIRFLOW_DAYS_BACK = 7;
/** Uploads that overlap are accepted in another order than they were created, but not by more than so many. */
const OVERLAPPING = 100;

export class References {
  private readonly kept = new Map<string, EvidenceJson>();
  /** By pipeline, and by pipeline and day; null: there is none. */
  private readonly latest = new Map<string, string | null>();

  constructor(private readonly options: ReferencesOptions) {}

  /** The upload has been accepted: it is what the next one is compared with. */
  accepted(run: StoredRun): void {
    if (this.latest.size >= KEPT_DAYS) this.latest.clear();
    this.latest.set(run.pipeline, run.id);
    this.latest.set(`${run.pipeline}/${run.internal.run_date}`, run.id);
  }

  /** Evidence that was just written need not be read again. */
  remember(run: string, evidence: EvidenceJson): void {
    this.kept.delete(run);
    this.kept.set(run, evidence);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value!);
  }

  /** Which reference a check asks for: checks with the same answer share it. */
  nameOf(check: CheckSpec): string {
    if (!('reference' in check) && !('days_back' in check) && check.type !== 'interval_check') return 'previous';
    const { reference, days_back: daysBack } = check as { reference?: unknown; days_back?: number };
    if (daysBack !== undefined) return `day ${Math.abs(daysBack)}`;
    if (typeof reference === 'object') return JSON.stringify(reference);
    const airflow = check.type === 'interval_check' && check.semantics === 'airflow' && reference === undefined;
    return airflow ? `day ${AIRFLOW_DAYS_BACK}` : 'previous';
  }

  /** Resolves what {@link nameOf} names, for this run. Throws a KafkaError. */
  async find(name: string, pipeline: Pipeline, run: StoredRun): Promise<FoundReference> {
    if (name.startsWith('{')) {
      const { file, upload } = JSON.parse(name) as { file?: string; upload?: string };
      if (file !== undefined) return this.options.readFile(file, pipeline, run);
      const named = this.options.store.get(upload!);
      const missing = `there is no accepted upload ${upload} of ${pipeline.name}`;
      return named && isAccepted(named) && named.pipeline === pipeline.name ? this.read(named) : { missing };
    }
    const day =
      name === 'previous' ? null : dateText(dateDay(run.internal.run_date)! - Number(name.slice('day '.length)));
    const found = this.newest(pipeline.name, day, run.id);
    if (found) return this.read(found);
    const what = day === null ? 'no earlier accepted upload' : `no accepted upload of ${day}`;
    return { missing: `${pipeline.name} has ${what}` };
  }

  /** The upload that was accepted last, of this day or (null) at all. Looked for once, and known from then on. */
  private newest(pipeline: string, day: string | null, except: string): StoredRun | undefined {
    const key = day === null ? pipeline : `${pipeline}/${day}`;
    const latest = this.latest.get(key);
    if (latest === null) return undefined;
    const known = latest === undefined || latest === except ? undefined : this.options.store.get(latest);
    // It may have been cancelled, or have failed before its first row.
    if (known && isAccepted(known)) return known;
    const found = this.lookFor(pipeline, day, except);
    if (latest !== except) this.latest.set(key, found?.id ?? null);
    return found;
  }

  private lookFor(pipeline: string, day: string | null, except: string): StoredRun | undefined {
    // A run's day is that of its creation, in whichever zone, or a scheduled one before it.
    const since = day === null ? '' : dateText(dateDay(day)! - 1);
    let best: StoredRun | undefined;
    let looked = 0;
    for (const id of this.options.store.newest(pipeline)) {
      const run = this.options.store.get(id);
      if (!run || id === except) continue;
      if (run.created_at < since) break;
      if (!isAccepted(run) || (day !== null && run.internal.run_date !== day)) continue;
      if (!best || acceptedAt(run) > acceptedAt(best)) best = run;
      if (++looked === OVERLAPPING) break;
    }
    return best;
  }

  private async read(run: StoredRun): Promise<FoundReference> {
    const kept = this.kept.get(run.id);
    if (kept) return { evidence: kept };
    const found = await this.options.parts.read(run.id, run.internal.evidence!);
    if (!found) return { missing: `what was kept of upload ${run.id} is gone (retention.runs)` };
    this.remember(run.id, found as EvidenceJson);
    return { evidence: found as EvidenceJson };
  }
}

/** Its rows went in, or are about to. Rehearsals never. */
function isAccepted(run: StoredRun): boolean {
  if (!run.save_to_db || !run.internal.evidence) return false;
  if (run.internal.queued_at === null && run.internal.sequence === null) return false;
  if (run.state === 'rejected' || run.state === 'cancelled') return false;
  return run.state !== 'failed' || run.rows.published > 0;
}

/** When it passed its checks, ISO 8601. */
function acceptedAt(run: StoredRun): string {
  return run.steps.find(({ name }) => name === 'check')!.ended_at ?? '';
}
