// Between spool and queue: a file is checked (and Redis asked) while it arrives; once it is whole the verdict takes it to
// its place: refused, failed, rehearsed, or in the line of its pipeline. New files and those from before a restart alike.
import { ENDED_STATES, LIMITS, type Pipeline, type Retries, type RunError, type StoredRun } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Judge, Judgement } from '../checks/judge.js';
import type { References } from '../checks/references.js';
import type { Examined } from '#gate';
import type { Rehearsal } from '../rehearsal/rehearse.js';
import type { RunEvent } from '../runs/fold-run.js';
import type { Checked } from '../runs/run-journal.js';
import type { RunStore } from '../runs/run-store.js';
import { checkRedis, REDIS_TRIES, type RedisCheck } from './check-redis.js';
import { gate } from './gate.js';
import { Line } from './line.js';
import type { RefusedRows } from './refused-rows.js';
import { ONCE, withRetries } from './retries.js';
import type { Spool, SpooledBody } from './spool.js';
import type { UploadQueue } from './upload-queue.js';

export interface ExaminerOptions {
  store: RunStore;
  spool: Spool;
  queues: ReadonlyMap<string, UploadQueue>;
  rehearsal: Rehearsal;
  refusedRows: RefusedRows;
  judge: Judge;
  references: References;
  pingRedis: () => Promise<void>;
  partitions: number;
  redisDelayMs: number;
  /** A file with more records is refused. */
  maxRows: number;
  now: () => number;
  /** Aborts when the service stops: runs that are under way stay open and go on after the restart. */
  stop: AbortSignal;
  log: ExaminerLog;
  /** Told how much of the file has been checked. */
  onChecking: (run: string, checked: Checked) => void;
  onChecked: (pipeline: string, rows: Examined['rows']) => void;
}

interface ExaminerLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface Examination {
  checked: Promise<Examined>;
  /** Null for a run whose Redis check was passed before: it is not asked again. */
  redis: RedisCheck | null;
}

const REHEARSALS_AT_ONCE = 2;
const RETRY_MS = 500;

export class Examiner {
  private readonly checking = new Line(LIMITS.filesCheckedAtOnce);
  private readonly rehearsing = new Line(REHEARSALS_AT_ONCE);
  /** Ends what is being done for a run that is cancelled; a run is here while it is examined. */
  private readonly examining = new Map<string, AbortController>();
  private queued = 0;

  constructor(private readonly options: ExaminerOptions) {}

  /** Starts to check `body`, which may still grow. */
  begin(run: StoredRun, pipeline: Pipeline, body: SpooledBody, how: { askRedis: boolean }): Examination {
    const cancelled = new AbortController();
    this.examining.set(run.id, cancelled);
    const stop = AbortSignal.any([this.options.stop, cancelled.signal]);
    const redis = how.askRedis ? this.checkRedis(run.id, pipeline, stop) : null;
    const checked = this.check(run, pipeline, body, stop);
    // Awaited in `conclude`, or not at all when the body fails first.
    checked.catch(() => undefined);
    return { checked, redis };
  }

  /** Ends a run of which nothing was published, whatever is being done for it. */
  async cancel(id: string): Promise<void> {
    const { store, spool, now } = this.options;
    store.forgetFile(store.get(id)!);
    const error = { code: 'cancelled', message: 'cancelled before anything was published', retriable: false };
    const cancelled = store.apply(id, { type: 'ended', state: 'cancelled', error, at: now() });
    this.examining.get(id)?.abort();
    await cancelled;
    await spool.remove(id);
  }

  /** Later numbers in the line are higher than `queued`. */
  continueLine(queued: number): void {
    this.queued = Math.max(this.queued, queued);
  }

  /** From the verdict to the file's place, in the line not before `turn`. Never rejects: the run says what became of it. */
  async conclude(id: string, pipeline: Pipeline, examination: Examination, turn: Promise<void>): Promise<void> {
    try {
      await this.decide(id, pipeline, examination, turn);
    } catch (error) {
      if (this.options.stop.aborted || this.isOver(id)) return;
      this.options.log.error({ err: error, run: id }, 'the run could not go on');
      const message =
        'an internal error; the log of the ingest service has the details; retry it or send the file again';
      await this.fail(id, { code: 'internal', message, retriable: true }).catch(() => undefined);
    } finally {
      this.examining.delete(id);
    }
  }

  /** A body that did not become whole is not examined any more. */
  letGo(id: string): void {
    this.examining.delete(id);
  }

  /**
   * Ends the run as failed; its file is not known any more, its body is kept for a retry when it is whole. A
   * half-published one is interrupted instead.
   */
  async fail(id: string, error: RunError): Promise<void> {
    const { store, spool, queues, now } = this.options;
    const run = store.get(id);
    if (!run) return;
    if (queues.get(run.pipeline)?.progressOf(id)) {
      this.options.log.warn({ run: id, code: error.code }, 'a half-published run is interrupted');
      await store.apply(id, { type: 'interrupted', at: now() });
      await spool.remove(id);
    } else {
      store.forgetFile(run);
      await store.apply(id, { type: 'ended', state: 'failed', error, at: now() });
      if (run.internal.received) await spool.keepBody(id);
      else await spool.remove(id);
    }
  }

  private async check(run: StoredRun, pipeline: Pipeline, body: SpooledBody, stop: AbortSignal): Promise<Examined> {
    return withRetries({
      retries: pipeline.retries ?? ONCE,
      attempt: () => this.checkOnce(run, pipeline, body, stop),
      onRetry: (error) => this.event(run.id, { type: 'step_retried', step: 'check', message: error.message }),
      stop,
    });
  }

  private async checkOnce(run: StoredRun, pipeline: Pipeline, body: SpooledBody, stop: AbortSignal): Promise<Examined> {
    const { partitions, spool, onChecking, now, maxRows } = this.options;
    let checked: Checked = { bytes: 0, rows: 0 };
    await this.checking.enter();
    try {
      this.event(run.id, { type: 'step_started', step: 'check', at: now() });
      return await gate({
        pipeline,
        run: run.id,
        createdAtMs: Date.parse(run.created_at),
        partitions,
        maxRows,
        source: counted(body.chunks(this.checking.outside), (bytes) => {
          checked = { ...checked, bytes };
        }),
        dialect: run.internal.dialect ?? null,
        typedPath: spool.typedPath(run.id),
        runDate: run.internal.run_date,
        stop,
        onRead: (rows) => {
          checked = { ...checked, rows };
          onChecking(run.id, checked);
        },
      });
    } finally {
      this.checking.leave();
    }
  }

  /** Cancelled, say: whatever was being done for it comes too late. */
  private isOver(id: string): boolean {
    const run = this.options.store.get(id);
    return !run || ENDED_STATES.has(run.state);
  }

  private async decide(id: string, pipeline: Pipeline, examination: Examination, turn: Promise<void>): Promise<void> {
    const { store, now, queues, stop, log } = this.options;
    const result = await examination.checked.catch(async (error: unknown) => {
      if (stop.aborted || this.isOver(id)) return null;
      log.error({ err: error, run: id }, 'checking failed');
      await this.fail(id, checkFailure(error));
      return null;
    });
    if (!result || this.isOver(id)) return;
    this.options.onChecked(pipeline.name, result.rows);
    const { checks, refused, evidence } = await this.judge(id, pipeline, result);
    if (this.isOver(id)) return;
    const { rows, dialect } = result;
    this.event(id, { type: 'checked', rows, checks, dialect, evidence, at: now() });
    if (refused && !isForced(store.get(id)!, refused)) return this.refuse(id, refused);
    try {
      await examination.redis?.done;
    } catch (error) {
      if (stop.aborted || this.isOver(id)) return;
      const message = `Redis did not answer (${(error as Error).message}): start it, then retry the run or send the file again`;
      return this.fail(id, { code: 'redis_away', message, retriable: true });
    }
    if (this.isOver(id)) return;
    if (!store.get(id)!.save_to_db) {
      void this.rehearse(id, pipeline);
      return;
    }
    await turn;
    if (this.isOver(id)) return;
    // The order of the line is the order of these calls; it is durable before the answer.
    const queued = store.apply(id, { type: 'queued', order: ++this.queued });
    this.options.references.accepted(store.get(id)!);
    queues.get(pipeline.name)!.add(id);
    await queued;
  }

  /** As many at once as files are read: features of a file may take as much memory. */
  private async judge(id: string, pipeline: Pipeline, result: Examined): Promise<Judgement> {
    const { judge, store, spool, stop } = this.options;
    await this.checking.enter();
    try {
      return await judge.decide({ run: store.get(id)!, pipeline, result, typedPath: spool.typedPath(id), stop });
    } finally {
      this.checking.leave();
    }
  }

  private async refuse(id: string, error: RunError): Promise<void> {
    const { store, spool, now, stop } = this.options;
    const range = await this.writeDeadLetters(store.get(id)!);
    if (stop.aborted || this.isOver(id)) return;
    store.forgetFile(store.get(id)!);
    this.event(id, { type: 'dead_letters', range });
    await store.apply(id, { type: 'ended', state: 'rejected', error, at: now() });
    await spool.keepBody(id);
  }

  /** While Kafka is away the verdict waits; repeated letters lie outside the range that the run keeps. */
  private async writeDeadLetters(run: StoredRun) {
    const { refusedRows, spool, stop, log } = this.options;
    for (;;) {
      try {
        return await refusedRows.write(run, spool.typedPath(run.id));
      } catch (error) {
        log.warn({ err: error, run: run.id }, 'dead letters could not be written');
        if (stop.aborted || (error as { retriable?: boolean }).retriable !== true) return null;
        await sleep(RETRY_MS, undefined, { signal: stop }).catch(() => undefined);
      }
    }
  }

  /** Goes on after the answer; never rejects. */
  private async rehearse(id: string, pipeline: Pipeline): Promise<void> {
    const { store, spool, rehearsal, now, stop, log } = this.options;
    await this.rehearsing.enter();
    try {
      if (this.isOver(id)) return;
      this.event(id, { type: 'rehearsing', at: now() });
      const { parts, late } = await withRetries({
        retries: pipeline.retries ?? ONCE,
        attempt: () => rehearsal.run(store.get(id)!, pipeline, spool.typedPath(id), () => this.isOver(id)),
        onRetry: ({ message }) => this.event(id, { type: 'step_retried', step: 'aggregate', message }),
        stop,
      });
      // Which rows a file would lose is what its rehearsal is for.
      const range = await this.writeDeadLetters(store.get(id)!);
      if (stop.aborted || this.isOver(id)) return;
      this.event(id, { type: 'dead_letters', range });
      await store.apply(id, { type: 'rehearsed', parts, late, at: now() });
      await spool.remove(id);
    } catch (error) {
      if (stop.aborted || this.isOver(id)) return;
      const known = error as { code?: string; retriable?: boolean; message: string };
      log.warn({ err: error, run: id }, 'rehearsal failed');
      await this.fail(id, {
        code: known.code ?? 'rehearsal_failed',
        message: known.message,
        retriable: known.retriable ?? true,
      }).catch(() => undefined);
    } finally {
      this.rehearsing.leave();
    }
  }

  private checkRedis(id: string, pipeline: Pipeline, stop: AbortSignal): RedisCheck {
    const { now, pingRedis, redisDelayMs } = this.options;
    const retries: Retries = pipeline.retries ?? { attempts: REDIS_TRIES, delayMs: redisDelayMs };
    this.event(id, { type: 'step_started', step: 'check_redis', at: now() });
    const check = checkRedis({
      ping: pingRedis,
      retries,
      stop,
      onRetry: (error) => this.event(id, { type: 'step_retried', step: 'check_redis', message: error.message }),
    });
    check.done.then(
      () => this.event(id, { type: 'step_done', step: 'check_redis', at: now() }),
      () => undefined,
    );
    return check;
  }

  /** An event that nobody waits for: it is written with the next one that somebody does. */
  private event(id: string, event: RunEvent): void {
    const { store } = this.options;
    if (store.get(id)) store.apply(id, event).catch(() => undefined);
  }
}

/** A verdict of checks gives way to force; a file without a readable header has no rows to take. */
function isForced(run: StoredRun, refused: RunError): boolean {
  return run.forced !== undefined && refused.code === 'checks_failed';
}

/** The chunks, with the bytes handed on so far told after each. */
async function* counted(chunks: AsyncGenerator<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    yield chunk;
    bytes += chunk.length;
    onBytes(bytes);
  }
}

function checkFailure(error: unknown): RunError {
  if ((error as { code?: string }).code === 'ENOSPC') {
    const message = 'the disk of the ingest service is full: free space, then retry the run or send the file again';
    return { code: 'disk_full', message, retriable: true };
  }
  return {
    code: 'check_failed',
    message: 'the file could not be read back: retry the run, or send it again',
    retriable: true,
  };
}
