// Between spool and queue: a file is checked (and Redis asked) while it arrives; once it is whole the verdict takes it to
// its place: refused, failed, rehearsed, or in the line of its pipeline. New files and those from before a restart alike.
import { LIMITS, type Pipeline, type RunError, type StoredRun } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Rehearsal } from '../rehearsal/rehearse.js';
import type { RunEvent } from '../runs/fold-run.js';
import type { RunStore } from '../runs/run-store.js';
import { checkRedis, type RedisCheck } from './check-redis.js';
import { gate, type GateResult } from './gate.js';
import { Line } from './line.js';
import type { RefusedRows } from './refused-rows.js';
import type { Spool, SpooledBody } from './spool.js';
import type { UploadQueue } from './upload-queue.js';

export interface ExaminerOptions {
  store: RunStore;
  spool: Spool;
  queues: ReadonlyMap<string, UploadQueue>;
  rehearsal: Rehearsal;
  refusedRows: RefusedRows;
  pingRedis: () => Promise<void>;
  partitions: number;
  redisDelayMs: number;
  /** A file with more records is refused. */
  maxRows: number;
  now: () => number;
  /** Aborts when the service stops: runs that are under way stay open and go on after the restart. */
  stop: AbortSignal;
  log: ExaminerLog;
  onChecked: (pipeline: string, rows: GateResult['rows']) => void;
}

interface ExaminerLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface Examination {
  checked: Promise<GateResult>;
  /** Null for a run whose Redis check was passed before: it is not asked again. */
  redis: RedisCheck | null;
}

const REHEARSALS_AT_ONCE = 2;
const RETRY_MS = 500;

export class Examiner {
  private readonly checking = new Line(LIMITS.filesCheckedAtOnce);
  private readonly rehearsing = new Line(REHEARSALS_AT_ONCE);
  private queued = 0;

  constructor(private readonly options: ExaminerOptions) {}

  /** Starts to check `body`, which may still grow. */
  begin(run: StoredRun, pipeline: Pipeline, body: SpooledBody, how: { askRedis: boolean }): Examination {
    const redis = how.askRedis ? this.checkRedis(run.id) : null;
    const checked = this.check(run, pipeline, body);
    // Awaited in `conclude`, or not at all when the body fails first.
    checked.catch(() => undefined);
    return { checked, redis };
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
      if (this.options.stop.aborted) return;
      this.options.log.error({ err: error, run: id }, 'the run could not go on');
      const message = 'an internal error; the log of the ingest service has the details; send the file again';
      await this.fail(id, { code: 'internal', message, retriable: true }).catch(() => undefined);
    }
  }

  /** Ends the run as failed; its file is not known any more. A half-published one is interrupted instead. */
  async fail(id: string, error: RunError): Promise<void> {
    const { store, spool, queues, now } = this.options;
    const run = store.get(id);
    if (!run) return;
    if (queues.get(run.pipeline)?.progressOf(id)) {
      this.options.log.warn({ run: id, code: error.code }, 'a half-published run is interrupted');
      await store.apply(id, { type: 'interrupted', at: now() });
    } else {
      store.forgetFile(run);
      await store.apply(id, { type: 'ended', state: 'failed', error, at: now() });
    }
    await spool.remove(id);
  }

  private async check(run: StoredRun, pipeline: Pipeline, body: SpooledBody): Promise<GateResult> {
    const { partitions, spool, now, stop, maxRows } = this.options;
    await this.checking.enter();
    try {
      this.event(run.id, { type: 'step_started', step: 'check', at: now() });
      return await gate({
        pipeline,
        run: run.id,
        createdAtMs: Date.parse(run.created_at),
        partitions,
        maxRows,
        source: body.chunks(this.checking.outside),
        dialect: run.internal.dialect ?? null,
        typedPath: spool.typedPath(run.id),
        stop,
      });
    } finally {
      this.checking.leave();
    }
  }

  private async decide(id: string, pipeline: Pipeline, examination: Examination, turn: Promise<void>): Promise<void> {
    const { store, now, queues, stop, log } = this.options;
    const result = await examination.checked.catch(async (error: unknown) => {
      if (stop.aborted) return null;
      log.error({ err: error, run: id }, 'checking failed');
      await this.fail(id, checkFailure(error));
      return null;
    });
    if (!result) return;
    this.options.onChecked(pipeline.name, result.rows);
    const { rows, checks, dialect } = result;
    this.event(id, { type: 'checked', rows, checks, dialect, at: now() });
    if (result.refused) return this.refuse(id, result.refused);
    try {
      await examination.redis?.done;
    } catch (error) {
      if (stop.aborted) return;
      const message = `Redis did not answer (${(error as Error).message}): start it, then send the file again`;
      return this.fail(id, { code: 'redis_away', message, retriable: true });
    }
    if (!store.get(id)!.save_to_db) {
      void this.rehearse(id, pipeline);
      return;
    }
    await turn;
    // The order of the line is the order of these calls; it is durable before the answer.
    const queued = store.apply(id, { type: 'queued', order: ++this.queued });
    queues.get(pipeline.name)!.add(id);
    await queued;
  }

  private async refuse(id: string, error: RunError): Promise<void> {
    const { store, spool, now, stop } = this.options;
    const range = await this.writeDeadLetters(store.get(id)!);
    if (stop.aborted) return;
    store.forgetFile(store.get(id)!);
    this.event(id, { type: 'dead_letters', range });
    await store.apply(id, { type: 'ended', state: 'rejected', error, at: now() });
    await spool.remove(id);
  }

  /** While Kafka is away the verdict waits; repeated letters lie outside the range that the run keeps. */
  private async writeDeadLetters(run: StoredRun) {
    const { refusedRows, spool, stop, log } = this.options;
    for (;;) {
      try {
        return await refusedRows.write(run, spool.typedPath(run.id));
      } catch (error) {
        log.warn({ err: error, run: run.id }, 'dead letters of a refused file could not be written');
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
      this.event(id, { type: 'rehearsing', at: now() });
      const { parts, late } = await rehearsal.run(store.get(id)!, pipeline, spool.typedPath(id));
      await store.apply(id, { type: 'rehearsed', parts, late, at: now() });
      await spool.remove(id);
    } catch (error) {
      if (stop.aborted) return;
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

  private checkRedis(id: string): RedisCheck {
    const { now, pingRedis, redisDelayMs, stop } = this.options;
    this.event(id, { type: 'step_started', step: 'check_redis', at: now() });
    const check = checkRedis({
      ping: pingRedis,
      delayMs: redisDelayMs,
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

function checkFailure(error: unknown): RunError {
  if ((error as { code?: string }).code === 'ENOSPC') {
    const message = 'the disk of the ingest service is full: free space, then send the file again';
    return { code: 'disk_full', message, retriable: true };
  }
  return { code: 'check_failed', message: 'the file could not be read back: send it again', retriable: true };
}
