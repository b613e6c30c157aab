// Ingest's memory: every run, folded from the records of `caudal.runs` and kept there through the runs log; reports of
// the feature writers are folded into their runs as they come.
import { EventEmitter, once } from 'node:events';
import { ENDED_STATES, knownFileKey, parseRunsKey, reportKey, type Report, type StoredRun } from '#contracts';
import type { KafkaRecord } from '#kafka';
import { foldRun, type RunEvent } from './fold-run.js';
import { RunsLog, type RunsLogOptions } from './runs-log.js';

export interface RunStoreOptions extends RunsLogOptions {
  /** Told of every change of a run; `before` is null for a new one. */
  onChange?: (run: StoredRun, before: StoredRun | null) => void;
}

export class RunStore {
  private readonly runs = new Map<string, StoredRun>();
  /** Ids in order of creation (ULIDs sort by time). */
  private ids: string[] = [];
  private readonly files = new Map<string, string>();
  private readonly reports = new Map<string, Map<string, Report>>();
  private readonly hidden = new Set<string>();
  /** Ids of the runs that have not ended: reports and restarts look at these alone. */
  private readonly open = new Set<string>();
  private readonly loadedReports: Report[] = [];
  private readonly changed = new EventEmitter().setMaxListeners(0);
  private readonly log: RunsLog;

  constructor(private readonly options: RunStoreOptions) {
    this.log = new RunsLog(options);
  }

  /** Fences earlier writers, loads everything, then follows the reports. */
  async start(): Promise<void> {
    const next = await this.log.open((record) => this.load(record));
    this.ids = [...this.runs.keys()].sort();
    for (const run of this.runs.values()) this.index(run);
    for (const report of this.loadedReports.splice(0)) this.keepReport(report);
    this.log.follow(next, (records) => this.onReports(records));
  }

  async close(): Promise<void> {
    await this.log.close();
  }

  get(id: string): StoredRun | undefined {
    return this.runs.get(id);
  }

  /** A run as the outside may see it: not while its body is still arriving and may prove known. */
  shown(id: string): StoredRun | undefined {
    return this.hidden.has(id) ? undefined : this.runs.get(id);
  }

  /** Newest first, beginning after `cursor` (an id). */
  list(args: { pipeline?: string; state?: string; limit: number; cursor?: string }): StoredRun[] {
    const found: StoredRun[] = [];
    const start = args.cursor === undefined ? this.ids.length : lowerBound(this.ids, args.cursor);
    for (let i = start - 1; i >= 0 && found.length < args.limit; i--) {
      const run = this.shown(this.ids[i]!);
      if (!run) continue;
      if (args.pipeline !== undefined && run.pipeline !== args.pipeline) continue;
      if (args.state !== undefined && run.state !== args.state) continue;
      found.push(run);
    }
    return found;
  }

  /** Runs that have not ended, oldest first. */
  unfinished(): StoredRun[] {
    return [...this.open].sort().map((id) => this.runs.get(id)!);
  }

  /** False while Kafka does not take changes: new uploads are turned away meanwhile. */
  get writable(): boolean {
    return this.log.writable;
  }

  countByState(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const run of this.runs.values()) counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
    return counts;
  }

  /** Records a new run, hidden until {@link show}. Resolves when Kafka has it. */
  async begin(run: StoredRun): Promise<void> {
    this.runs.set(run.id, run);
    this.ids.splice(lowerBound(this.ids, run.id), 0, run.id);
    this.hidden.add(run.id);
    this.open.add(run.id);
    this.options.onChange?.(run, null);
    await this.log.write(run.id, JSON.stringify(run));
  }

  show(id: string): void {
    this.hidden.delete(id);
    this.changed.emit(id);
  }

  /** The run that has these bytes, when there is one. */
  knownFile(pipeline: string, sha256: string): StoredRun | undefined {
    const id = this.files.get(knownFileKey(pipeline, sha256));
    return id === undefined ? undefined : this.runs.get(id);
  }

  rememberFile(run: StoredRun): void {
    const key = knownFileKey(run.pipeline, run.sha256!);
    this.files.set(key, run.id);
    this.writeLater(key, JSON.stringify({ run: run.id }));
  }

  /** Takes the file's mark away when this run set it. */
  forgetFile(run: StoredRun): void {
    if (run.sha256 === null) return;
    const key = knownFileKey(run.pipeline, run.sha256);
    if (this.files.get(key) !== run.id) return;
    this.files.delete(key);
    this.writeLater(key, null);
  }

  /** The body proved too large or known, or Kafka was away: as if it had never been. */
  remove(id: string): void {
    this.runs.delete(id);
    this.hidden.delete(id);
    this.open.delete(id);
    const at = lowerBound(this.ids, id);
    if (this.ids[at] === id) this.ids.splice(at, 1);
    this.writeLater(id, null);
  }

  /** Folds the event in; visible at once, durable when the promise resolves. */
  async apply(id: string, event: RunEvent): Promise<StoredRun> {
    const before = this.runs.get(id);
    if (!before) throw new Error(`run ${id} is not known`);
    const run = foldRun(before, event);
    if (run === before) return run;
    this.runs.set(id, run);
    const durable = this.log.write(id, JSON.stringify(run));
    if (ENDED_STATES.has(run.state)) {
      this.open.delete(id);
      this.dropReports(run);
    }
    this.changed.emit(id);
    this.options.onChange?.(run, before);
    await durable;
    return run;
  }

  /** Resolves when the run has ended (or is gone), after `ms`, or when `signal` aborts. */
  async ended(id: string, ms: number, signal: AbortSignal): Promise<StoredRun | undefined> {
    const deadline = performance.now() + ms;
    for (;;) {
      const run = this.runs.get(id);
      const left = deadline - performance.now();
      if (!run || ENDED_STATES.has(run.state) || left <= 0 || signal.aborted) return run;
      await this.nextChange(id, left, signal);
    }
  }

  /** Applies reports that came before this run expected them (ingest was away, or the writer was quicker). */
  async foldReports(id: string): Promise<void> {
    const run = this.runs.get(id);
    if (!run || ENDED_STATES.has(run.state) || Object.keys(run.internal.expects).length === 0) return;
    const known = [...(this.reports.get(id)?.values() ?? [])];
    // An interrupted run is published under a new sequence: what stood in for it under the old one counts no more.
    const reports = known.filter((report) => report.sequence >= run.internal.sequence!);
    await this.apply(id, { type: 'reports', reports, at: this.options.now() });
  }

  private async nextChange(id: string, ms: number, signal: AbortSignal): Promise<void> {
    const any = AbortSignal.any([signal, AbortSignal.timeout(Math.min(Math.ceil(ms), 2 ** 30))]);
    await once(this.changed, id, { signal: any }).catch(() => undefined);
  }

  private index(run: StoredRun): void {
    if (!run.internal.received && !ENDED_STATES.has(run.state)) this.hidden.add(run.id);
    if (ENDED_STATES.has(run.state)) {
      this.dropReports(run);
      return;
    }
    this.open.add(run.id);
    // The mark may have been cut off by a crash: the run itself says that these bytes are known.
    const known = run.save_to_db && run.sha256 !== null;
    if (known && !this.files.has(knownFileKey(run.pipeline, run.sha256!))) this.rememberFile(run);
  }

  private load(record: KafkaRecord): void {
    const key = record.key!.toString();
    const parsed = parseRunsKey(key);
    if (parsed?.kind === 'run') {
      if (record.value === null) this.runs.delete(key);
      else this.runs.set(key, JSON.parse(record.value.toString()) as StoredRun);
    } else if (parsed?.kind === 'file') {
      if (record.value === null) this.files.delete(key);
      else this.files.set(key, (JSON.parse(record.value.toString()) as { run: string }).run);
    } else if (parsed?.kind === 'report' && record.value !== null) {
      this.loadedReports.push(JSON.parse(record.value.toString()) as Report);
    }
  }

  private onReports(records: KafkaRecord[]): void {
    const touched = new Set<string>();
    for (const record of records) {
      const key = record.key!.toString();
      if (record.value === null || parseRunsKey(key)?.kind !== 'report') continue;
      for (const run of this.keepReport(JSON.parse(record.value.toString()) as Report)) touched.add(run);
    }
    for (const id of touched)
      this.foldReports(id).catch((error: unknown) => this.options.onError(error, 'folding reports'));
  }

  /**
   * Keeps a report with its run; a report of a later upload stands for every earlier one of the same stage and
   * partition that is missing. A report for an ended or unknown run is tombstoned without effect.
   */
  private keepReport(report: Report): string[] {
    const touched: string[] = [];
    for (const id of this.open) {
      const run = this.runs.get(id)!;
      if (run.pipeline !== report.pipeline) continue;
      const { sequence } = run.internal;
      const own = run.id === report.upload;
      if (!own && (sequence === null || sequence >= report.sequence)) continue;
      const place = `${report.stage}/${report.partition}`;
      const kept = this.reports.get(run.id) ?? new Map<string, Report>();
      const before = kept.get(place);
      if (!own && before && before.sequence >= sequence!) continue;
      kept.set(place, own ? report : standIn(report, run));
      this.reports.set(run.id, kept);
      touched.push(run.id);
    }
    const run = this.runs.get(report.upload);
    if (!run || ENDED_STATES.has(run.state)) this.writeLater(reportKey(report), null);
    return touched;
  }

  private dropReports(run: StoredRun): void {
    for (const report of this.reports.get(run.id)?.values() ?? []) this.writeLater(reportKey(report), null);
    this.reports.delete(run.id);
  }

  /** For changes that nobody waits for: a failure is told by the log itself. */
  private writeLater(key: string, value: string | null): void {
    this.log.write(key, value).catch(() => undefined);
  }
}

function standIn(later: Report, run: StoredRun): Report {
  return { ...later, upload: run.id, written: 0, superseded: 0, failed: 0, failed_keys: [], late: 0 };
}

/** First index whose id is not below `id`. */
function lowerBound(ids: readonly string[], id: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
