// Ingest's memory: every run, folded from the records of `caudal.runs` and kept there through the runs log; reports of
// the feature writers are folded into their runs as they come.
import { EventEmitter, once } from 'node:events';
import {
  ENDED_STATES,
  parseRunsKey,
  reportKey,
  scheduleKey,
  type Report,
  type ScheduleMark,
  type StoredRun,
} from '#contracts';
import type { KafkaRecord } from '#kafka';
import { foldRun, type RunEvent } from './fold-run.js';
import { KnownFiles, runFromMark } from './known-files.js';
import { PackedRuns } from './packed-runs.js';
import { TaskStates } from './task-states.js';
import { RunsLog, type RunsLogOptions } from './runs-log.js';

export interface RunStoreOptions extends RunsLogOptions {
  /** Told of every change of a run; `before` is null for a new one. */
  onChange?: (run: StoredRun, before: StoredRun | null) => void;
}

export class RunStore {
  private readonly runs = new PackedRuns();
  private readonly files = new KnownFiles((key, value) => this.writeLater(key, value));
  private readonly schedules = new Map<string, ScheduleMark>();
  private readonly reports = new Map<string, Map<string, Report>>();
  /** How full the aggregators' memory is. */
  readonly taskStates = new TaskStates();
  private readonly hidden = new Set<string>();
  /** Ids of the runs that have not ended: reports and restarts look at these alone. */
  private readonly open = new Set<string>();
  /** Ids of ended runs of which a notice is still owed. */
  private readonly owing = new Set<string>();
  private readonly loadedReports: Report[] = [];
  private readonly changed = new EventEmitter().setMaxListeners(0);
  private readonly log: RunsLog;

  constructor(private readonly options: RunStoreOptions) {
    this.log = new RunsLog(options);
  }

  /** Fences earlier writers, loads everything, then follows the reports. */
  async start(): Promise<void> {
    const next = await this.log.open((record) => this.load(record));
    for (const id of this.runs.newest({})) this.index(this.runs.get(id)!);
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

  /** Newest first, beginning after `cursor` (an id). Looks at no run but those that it answers (and hidden ones). */
  list(args: { pipeline?: string; state?: string; limit: number; cursor?: string }): StoredRun[] {
    const found: StoredRun[] = [];
    for (const id of this.runs.newest(args, args.cursor)) {
      if (found.length >= args.limit) break;
      const run = this.shown(id);
      if (run) found.push(run);
    }
    return found;
  }

  /** Ids of a pipeline's runs, newest first. */
  newest(pipeline: string): Generator<string> {
    return this.runs.newest({ pipeline });
  }

  /** Ids of a pipeline's runs below `before` (an id), oldest first. */
  olderThan(pipeline: string | undefined, before: string): string[] {
    return this.runs.olderThan({ pipeline }, before);
  }

  /** Runs that have not ended, oldest first. */
  unfinished(): StoredRun[] {
    return [...this.open].sort().map((id) => this.runs.get(id)!);
  }

  /** Ended runs of which a notice is still owed, oldest first. */
  owingNotice(): StoredRun[] {
    return [...this.owing].sort().map((id) => this.runs.get(id)!);
  }

  /** False while Kafka does not take changes: new uploads are turned away meanwhile. */
  get writable(): boolean {
    return this.log.writable;
  }

  countByState(): Map<string, number> {
    return this.runs.countByState();
  }

  /** Records a new run, hidden until {@link show}. Resolves when Kafka has it. */
  async begin(run: StoredRun): Promise<void> {
    this.runs.set(run);
    this.hidden.add(run.id);
    this.open.add(run.id);
    this.options.onChange?.(run, null);
    await this.log.write(run.id, JSON.stringify(run));
  }

  show(id: string): void {
    this.hidden.delete(id);
    this.changed.emit(id);
  }

  /**
   * The run that has these bytes, when there is one. Where retention has deleted it, what is kept of it:
   * {@link get} does not know its id any more.
   */
  knownFile(pipeline: string, sha256: string): StoredRun | undefined {
    const known = this.files.find(pipeline, sha256);
    if (!known) return undefined;
    return this.runs.get(known.run) ?? (known.kept && runFromMark(pipeline, sha256, known.run, known.kept));
  }

  rememberFile(run: StoredRun): void {
    this.files.remember(run);
  }

  /** Takes the file's mark away when this run set it. */
  forgetFile(run: StoredRun): void {
    this.files.forget(run);
  }

  /** The body proved too large or known, or Kafka was away: as if it had never been. */
  remove(id: string): void {
    this.runs.delete(id);
    this.hidden.delete(id);
    this.open.delete(id);
    this.owing.delete(id);
    this.changed.emit(id);
    this.writeLater(id, null);
  }

  /** Retention: an ended run goes, its file stays known. */
  expire(run: StoredRun): void {
    this.files.keepAfter(run);
    this.remove(run.id);
  }

  /** The last time of its schedule that a pipeline has seen to. */
  scheduleMark(pipeline: string): ScheduleMark | undefined {
    return this.schedules.get(pipeline);
  }

  /** Resolves when Kafka has it. */
  async markSchedule(pipeline: string, mark: ScheduleMark): Promise<void> {
    this.schedules.set(pipeline, mark);
    await this.log.write(scheduleKey(pipeline), JSON.stringify(mark));
  }

  /** Folds the event in; visible at once, durable when the promise resolves. */
  async apply(id: string, event: RunEvent): Promise<StoredRun> {
    const before = this.runs.get(id);
    if (!before) throw new Error(`run ${id} is not known`);
    const run = foldRun(before, event);
    if (run === before) return run;
    this.runs.set(run);
    const durable = this.log.write(id, JSON.stringify(run));
    this.keepSets(run);
    if (ENDED_STATES.has(run.state)) this.dropReports(run);
    this.changed.emit(id);
    this.options.onChange?.(run, before);
    await durable;
    return run;
  }

  /** Calls back after each change of the run until the returned function is called. */
  onChanged(id: string, listener: () => void): () => void {
    this.changed.on(id, listener);
    return () => void this.changed.off(id, listener);
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
    this.keepSets(run);
    if (ENDED_STATES.has(run.state)) return;
    // The mark may have been cut off by a crash: the run itself says that these bytes are known.
    const known = run.save_to_db && run.sha256 !== null && !run.internal.abandoning;
    if (known && !this.files.find(run.pipeline, run.sha256!)) this.rememberFile(run);
  }

  private keepSets(run: StoredRun): void {
    const ended = ENDED_STATES.has(run.state);
    if (ended) this.open.delete(run.id);
    else this.open.add(run.id);
    if (ended && !run.notified && run.internal.notify_on?.includes(run.state)) this.owing.add(run.id);
    else this.owing.delete(run.id);
  }

  private load(record: KafkaRecord): void {
    if (this.taskStates.load(record)) return;
    const key = record.key!.toString();
    const parsed = parseRunsKey(key);
    if (parsed?.kind === 'run') {
      if (record.value === null) this.runs.delete(key);
      else this.runs.set(JSON.parse(record.value.toString()) as StoredRun);
    } else if (parsed?.kind === 'file') {
      this.files.load(key, record.value);
    } else if (parsed?.kind === 'schedule' && record.value !== null) {
      this.schedules.set(parsed.pipeline, JSON.parse(record.value.toString()) as ScheduleMark);
    } else if (parsed?.kind === 'report' && record.value !== null) {
      this.loadedReports.push(JSON.parse(record.value.toString()) as Report);
    }
  }

  private onReports(records: KafkaRecord[]): void {
    const touched = new Set<string>();
    for (const record of records) {
      if (this.taskStates.load(record)) continue;
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
