// The way of a file through ingest: recorded at its first byte, spooled and checked at the same time, known or new,
// then queued for publishing (or rehearsed). After a restart the same way is taken again from the spool.
import { parsePipelineFile, LIMITS, type Pipeline, type RunError, type StoredRun } from '#contracts';
import { monotonicFactory } from 'ulid';
import { Problem } from '../problem.js';
import type { Rehearsal } from '../rehearsal/rehearse.js';
import { newRun } from '../runs/fold-run.js';
import type { RunStore } from '../runs/run-store.js';
import { checkRedis, type RedisCheck } from './check-redis.js';
import { gate, type GateResult } from './gate.js';
import { Line } from './line.js';
import type { RefusedRows } from './refused-rows.js';
import type { Spool, SpooledBody } from './spool.js';
import type { UploadQueue } from './upload-queue.js';

export interface IntakeOptions {
  store: RunStore;
  spool: Spool;
  queues: ReadonlyMap<string, UploadQueue>;
  pipelines: ReadonlyMap<string, Pipeline>;
  rehearsal: Rehearsal;
  refusedRows: RefusedRows;
  pingRedis: () => Promise<void>;
  partitions: number;
  redisDelayMs: number;
  now: () => number;
  log: IntakeLog;
  onChecked: (pipeline: string, rows: GateResult['rows']) => void;
}

interface IntakeLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What the door can answer with: the run, and whether its checks are through. */
export interface Received {
  run: StoredRun;
  duplicate: boolean;
}

const RECORD_WITHIN_MS = 5_000;

export class Intake {
  private readonly nextId = monotonicFactory();
  private readonly checking = new Line(LIMITS.filesCheckedAtOnce);
  private queued = 0;
  /** Files from before a restart have passed their checks first: new ones queue behind them. */
  private recovered: Promise<void> = Promise.resolve();

  constructor(private readonly options: IntakeOptions) {}

  /**
   * Takes a file in. Resolves when the answer is known: checks passed (202), a refusal, a duplicate, or at once after
   * the body when Redis is away. Throws {@link Problem} where there is no run to speak of.
   */
  async receive(args: {
    pipeline: Pipeline;
    saveToDb: boolean;
    fileName: string | null;
    bytes: AsyncIterable<Buffer>;
  }): Promise<Received> {
    const first = await firstChunk(args.bytes);
    if (first === null) throw new Problem(400, 'empty_body', 'the body has 0 bytes: send a CSV file with a header line');
    const id = this.nextId();
    const run = newRun({
      id,
      pipeline: args.pipeline.name,
      pipelineText: args.pipeline.text,
      fileName: args.fileName,
      saveToDb: args.saveToDb,
      createdAtMs: this.options.now(),
    });
    await this.record(run);
    const redis = this.checkRedis(id);
    const body = await this.options.spool.create(id);
    this.event(id, { type: 'step_started', step: 'receive', at: this.options.now() });
    const checked = this.check(run, args.pipeline, body);
    // Its failure is the body's failure, which `receive` throws below; a later one is awaited in `proceed`.
    checked.catch(() => undefined);
    const sha256 = await this.spoolBody(id, body, first);
    return this.place(id, sha256, body, args.pipeline, checked, redis);
  }

  /** After a restart: every run that has not ended goes on from what the spool and Kafka hold. */
  recover(): Promise<void> {
    this.recovered = this.recoverAll();
    return this.recovered;
  }

  private async recoverAll(): Promise<void> {
    const { store, spool, pipelines } = this.options;
    const unfinished = store.unfinished();
    const byQueue = unfinished.sort((a, b) => (a.internal.queued_at ?? Infinity) - (b.internal.queued_at ?? Infinity));
    const keep = new Set(byQueue.map((run) => run.id));
    for (const run of await spool.list()) if (!keep.has(run)) await spool.remove(run);
    for (const run of byQueue) {
      if (!pipelines.has(run.pipeline)) {
        this.options.log.warn({ run: run.id, pipeline: run.pipeline }, 'the pipeline of an unfinished run is not here');
      } else {
        await this.recoverRun(run);
      }
    }
  }

  private async recoverRun(run: StoredRun): Promise<void> {
    const { store, spool } = this.options;
    const queue = this.options.queues.get(run.pipeline)!;
    const progress = queue.progressOf(run.id);
    this.queued = Math.max(this.queued, run.internal.queued_at ?? 0);
    if (run.state === 'aggregating' || run.state === 'writing') {
      if (run.save_to_db) return store.foldReports(run.id);
    } else if (progress?.ended) {
      queue.add(run.id);
      return;
    }
    const body = run.internal.received ? await spool.existing(run.id) : null;
    if (body && body.bytes === run.bytes) return this.goOn(run, body);
    if (progress) {
      await store.apply(run.id, { type: 'interrupted', at: this.options.now() });
      return;
    }
    const code = run.internal.received ? 'body_gone' : 'body_incomplete';
    store.show(run.id);
    await this.fail(run.id, { code, message: 'ingest was restarted before the file was safe: send it again', retriable: true });
  }

  /** Checks an already received body (once more) and takes it to its place. */
  private async goOn(run: StoredRun, body: SpooledBody): Promise<void> {
    const { store, now } = this.options;
    store.show(run.id);
    await store.apply(run.id, { type: 'resumed', at: now() });
    const pipeline = parsePipelineFile(run.internal.pipeline_text!, `${run.pipeline}.yaml`);
    const redis = this.checkRedis(run.id);
    const checked = this.check(run, pipeline, body);
    checked.catch(() => undefined);
    // In the order of the line: the next run is looked at when this one has its place again.
    await this.proceed(run.id, pipeline, checked, redis, Promise.resolve());
  }

  /** Recorded at the first byte, or nothing is kept: 503 while Kafka does not take it. */
  private async record(run: StoredRun): Promise<void> {
    const { store } = this.options;
    const away = () =>
      new Problem(503, 'kafka_away', 'Kafka does not answer; nothing was kept: send the file again', {}, { 'retry-after': '10' });
    if (!store.writable) throw away();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(away()), RECORD_WITHIN_MS);
    });
    const recorded = store.begin(run);
    recorded.catch(() => undefined);
    try {
      await Promise.race([recorded, late]);
    } catch {
      store.remove(run.id);
      throw away();
    } finally {
      clearTimeout(timer);
    }
  }

  private async spoolBody(id: string, body: SpooledBody, bytes: AsyncIterable<Buffer>): Promise<string> {
    try {
      return await body.receive(bytes);
    } catch (error) {
      await this.options.spool.remove(id);
      if (error instanceof Problem && error.code !== 'body_incomplete' && error.code !== 'bad_gzip') {
        this.options.store.remove(id);
        throw error;
      }
      if ((error as { code?: string }).code === 'ENOSPC') {
        this.options.store.remove(id);
        throw new Problem(503, 'disk_full', 'the disk of the ingest service is full: nothing was kept', {}, { 'retry-after': '60' });
      }
      const detail = error instanceof Problem ? error.detail : 'the body could not be kept: send it again';
      const code = error instanceof Problem ? error.code : 'body_incomplete';
      await this.fail(id, { code, message: detail, retriable: true });
      this.options.store.show(id);
      throw new Problem(error instanceof Problem ? error.status : 500, code, detail, { run: id });
    }
  }

  /** The body is whole: these bytes may be known, or be those of an interrupted run. */
  private async place(
    id: string,
    sha256: string,
    body: SpooledBody,
    pipeline: Pipeline,
    checked: Promise<GateResult>,
    redis: RedisCheck,
  ): Promise<Received> {
    const { store, spool, now } = this.options;
    const run = store.get(id)!;
    const known = run.save_to_db ? store.knownFile(pipeline.name, sha256) : undefined;
    if (known) {
      // The check reads the body that is about to go: let it end first.
      await checked.catch(() => undefined);
      store.remove(id);
      if (known.state === 'interrupted') return this.resume(known, id);
      await spool.remove(id);
      return { run: known, duplicate: true };
    }
    this.event(id, { type: 'received', sha256, bytes: body.bytes, at: now() });
    if (run.save_to_db) store.rememberFile(store.get(id)!);
    store.show(id);
    const proceeding = this.proceed(id, pipeline, checked, redis, this.recovered);
    proceeding.catch((error: unknown) => this.options.log.error({ err: error, run: id }, 'the run could not go on'));
    if (await redis.first) await proceeding;
    return { run: store.get(id)!, duplicate: false };
  }

  /** The same bytes for an interrupted run: it goes on, at the end of the queue, by the rules it began with. */
  private async resume(known: StoredRun, received: string): Promise<Received> {
    const { store, spool } = this.options;
    await spool.move(received, known.id);
    const body = (await spool.existing(known.id))!;
    const going = this.goOn(known, body);
    going.catch((error: unknown) => this.options.log.error({ err: error, run: known.id }, 'the run could not be resumed'));
    await going;
    return { run: store.get(known.id)!, duplicate: false };
  }

  private async check(run: StoredRun, pipeline: Pipeline, body: SpooledBody): Promise<GateResult> {
    const { partitions, spool, now } = this.options;
    await this.checking.enter();
    try {
      this.event(run.id, { type: 'step_started', step: 'check', at: now() });
      return await gate({
        pipeline,
        run: run.id,
        createdAtMs: Date.parse(run.created_at),
        partitions,
        source: body.chunks(this.checking.outside),
        typedPath: spool.typedPath(run.id),
      });
    } finally {
      this.checking.leave();
    }
  }

  /** From the verdict to the queue (or the rehearsal), once Redis has answered too. */
  private async proceed(
    id: string,
    pipeline: Pipeline,
    checked: Promise<GateResult>,
    redis: RedisCheck,
    turn: Promise<void>,
  ): Promise<void> {
    const { store, now, queues } = this.options;
    const result = await checked.catch((error: unknown) => this.failCheck(id, error));
    if (!result) return;
    this.options.onChecked(pipeline.name, result.rows);
    this.event(id, { type: 'checked', rows: result.rows, checks: result.checks, at: now() });
    if (result.refused) return this.refuse(id, result.refused);
    try {
      await redis.done;
    } catch (error) {
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

  private async failCheck(id: string, error: unknown): Promise<null> {
    this.options.log.error({ err: error, run: id }, 'checking failed');
    await this.fail(id, { code: 'check_failed', message: 'the file could not be read back: send it again', retriable: true });
    return null;
  }

  private async refuse(id: string, error: RunError): Promise<void> {
    const { store, spool, refusedRows, now } = this.options;
    const run = store.get(id)!;
    store.forgetFile(run);
    const range = await refusedRows.write(run, spool.typedPath(id));
    this.event(id, { type: 'dead_letters', range });
    await store.apply(id, { type: 'ended', state: 'rejected', error, at: now() });
    await spool.remove(id);
  }

  /** Goes on after the answer; never rejects. */
  private async rehearse(id: string, pipeline: Pipeline): Promise<void> {
    const { store, spool, rehearsal, now } = this.options;
    this.event(id, { type: 'rehearsing', at: now() });
    try {
      const parts = await rehearsal.run(store.get(id)!, pipeline, spool.typedPath(id));
      await store.apply(id, { type: 'rehearsed', parts, at: now() });
    } catch (error) {
      const known = error as { code?: string; retriable?: boolean; message: string };
      this.options.log.warn({ err: error, run: id }, 'rehearsal failed');
      await this.fail(id, {
        code: known.code ?? 'rehearsal_failed',
        message: known.message,
        retriable: known.retriable ?? true,
      }).catch(() => undefined);
    }
    await spool.remove(id).catch(() => undefined);
  }

  /** Ends the run as failed. A file of which nothing was published is not known any more. */
  private async fail(id: string, error: RunError): Promise<void> {
    const { store, spool, now } = this.options;
    const run = store.get(id)!;
    if (run.rows.published === 0) store.forgetFile(run);
    await store.apply(id, { type: 'ended', state: 'failed', error, at: now() });
    await spool.remove(id);
  }

  private checkRedis(id: string): RedisCheck {
    const { now } = this.options;
    this.event(id, { type: 'step_started', step: 'check_redis', at: now() });
    const check = checkRedis({
      ping: this.options.pingRedis,
      delayMs: this.options.redisDelayMs,
      onRetry: (_attempt, error) => this.event(id, { type: 'step_retried', step: 'check_redis', message: error.message }),
    });
    check.done.then(
      () => this.event(id, { type: 'step_done', step: 'check_redis', at: now() }),
      () => undefined,
    );
    return check;
  }

  /** An event that nobody waits for: it is written with the next one that somebody does. */
  private event(id: string, event: Parameters<RunStore['apply']>[1]): void {
    if (this.options.store.get(id)) this.options.store.apply(id, event).catch(() => undefined);
  }
}

/** The source again, once its first byte is there; null when it has none. */
async function firstChunk(bytes: AsyncIterable<Buffer>): Promise<AsyncIterable<Buffer> | null> {
  const iterator = bytes[Symbol.asyncIterator]();
  for (;;) {
    const next = await iterator.next();
    if (next.done) return null;
    if (next.value.length === 0) continue;
    const first = next.value;
    return {
      async *[Symbol.asyncIterator]() {
        yield first;
        try {
          for (;;) {
            const more = await iterator.next();
            if (more.done) return;
            yield more.value;
          }
        } finally {
          await iterator.return?.();
        }
      },
    };
  }
}
