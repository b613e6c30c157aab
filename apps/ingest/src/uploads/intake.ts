// The way of a file into ingest: recorded at its first byte, spooled and checked at the same time; once it is whole it is
// known, or one that an interrupted run waits for, or new.
import type { Pipeline, StoredRun } from '#contracts';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicFactory } from 'ulid';
import { kafkaAway, Problem, stateFull } from '../problem.js';
import { newRun } from '../runs/fold-run.js';
import type { RunStore } from '../runs/run-store.js';
import type { Examination, Examiner } from './examiner.js';
import type { Recovery } from './recovery.js';
import type { Spool, SpooledBody } from './spool.js';

export interface IntakeOptions {
  store: RunStore;
  spool: Spool;
  examiner: Examiner;
  recovery: Recovery;
  now: () => number;
  /** Aborts when the service stops: whoever waits for a verdict is answered with the run as it stands. */
  stop: AbortSignal;
}

/** A file whose body is whole. */
export interface Placed {
  /** Its run, or the earlier run of the same bytes. */
  run: string;
  duplicate: boolean;
  /**
   * Resolves when the answer is known: the checks are through, or at once when Redis is away. Rejects with a
   * {@link Problem} (503) when Kafka does not take the run's changes.
   */
  decided: Promise<void>;
}

interface Arriving {
  pipeline: Pipeline;
  saveToDb: boolean;
  fileName: string | null;
  bytes: AsyncIterable<Buffer>;
}

/** Bodies that stopped in the middle: they leave a failed run that says so. */
const CUT_OFF = new Set(['body_incomplete', 'bad_gzip', 'too_slow']);
const RECORD_WITHIN_MS = 5_000;
const LOOK_MS = 500;

export class Intake {
  private readonly nextId = monotonicFactory();

  constructor(private readonly options: IntakeOptions) {}

  /** Resolves when the body is whole. Throws {@link Problem} where it is not, or where there is no run to speak of. */
  async receive(arriving: Arriving): Promise<Placed> {
    const iterator = arriving.bytes[Symbol.asyncIterator]();
    try {
      const first = await firstChunk(iterator);
      if (!first) throw new Problem(400, 'empty_body', 'the body has 0 bytes: send a CSV file with a header line');
      const run = this.newRun(arriving);
      await this.record(run);
      return await this.spoolAndPlace(run, arriving.pipeline, withFirst(first, iterator));
    } finally {
      // Whatever ended this: nobody reads on.
      await iterator.return?.();
    }
  }

  private newRun({ pipeline, fileName, saveToDb }: Arriving): StoredRun {
    return newRun({
      id: this.nextId(),
      pipeline: pipeline.name,
      pipelineText: pipeline.text,
      fileName,
      saveToDb,
      createdAtMs: this.options.now(),
    });
  }

  /** Recorded at the first byte, or nothing is kept: 503 while Kafka does not take it. */
  private async record(run: StoredRun): Promise<void> {
    const { store } = this.options;
    if (!store.writable) throw kafkaAway();
    const full = run.save_to_db ? store.taskStates.worst(run.pipeline) : null;
    if (full !== null) throw stateFull(full);
    const late = new AbortController();
    const recorded = store.begin(run);
    recorded.catch(() => undefined);
    const timeout = sleep(RECORD_WITHIN_MS, undefined, { signal: late.signal }).then(
      () => Promise.reject(kafkaAway()),
      () => undefined,
    );
    try {
      await Promise.race([recorded, timeout]);
    } catch {
      store.remove(run.id);
      throw kafkaAway();
    } finally {
      late.abort();
    }
  }

  private async spoolAndPlace(run: StoredRun, pipeline: Pipeline, bytes: AsyncIterable<Buffer>): Promise<Placed> {
    const { store, spool, examiner, now } = this.options;
    let body: SpooledBody;
    let sha256: string;
    let examination: Examination;
    try {
      body = await spool.create(run.id);
      store.apply(run.id, { type: 'step_started', step: 'receive', at: now() }).catch(() => undefined);
      examination = examiner.begin(run, pipeline, body, { askRedis: true });
      sha256 = await body.receive(bytes);
    } catch (error) {
      throw await this.lost(run.id, error);
    }
    return this.place(run.id, sha256, body, pipeline, examination);
  }

  /** The body did not become whole. What was cut off leaves a failed run; what should not have come leaves none. */
  private async lost(id: string, error: unknown): Promise<Problem> {
    const { store, spool, examiner } = this.options;
    await spool.remove(id).catch(() => undefined);
    const problem = error instanceof Problem ? error : diskProblem(error);
    if (!CUT_OFF.has(problem.code)) {
      store.remove(id);
      return problem;
    }
    const { code, detail, status, headers } = problem;
    store.show(id);
    await examiner.fail(id, { code, message: detail, retriable: true });
    return new Problem(status, code, detail, { run: id }, headers);
  }

  /** The body is whole: these bytes may be known, or be those of an interrupted run. */
  private async place(
    id: string,
    sha256: string,
    body: SpooledBody,
    pipeline: Pipeline,
    examination: Examination,
  ): Promise<Placed> {
    const { store, spool, examiner, recovery, now } = this.options;
    const { save_to_db: saveToDb } = store.get(id)!;
    const known = saveToDb ? store.knownFile(pipeline.name, sha256) : undefined;
    if (known) {
      const resumes = known.state === 'interrupted';
      // At once: of several senders of the same bytes one resumes the run, the others find it in progress.
      const resumed = resumes ? store.apply(known.id, { type: 'resumed', at: now() }) : null;
      resumed?.catch(() => undefined);
      // The check reads the body that is about to go: let it end first.
      await examination.checked.catch(() => undefined);
      store.remove(id);
      if (resumes) return this.resume(known.id, id);
      await spool.remove(id);
      return { run: known.id, duplicate: true, decided: Promise.resolve() };
    }
    const received = store.apply(id, { type: 'received', sha256, bytes: body.bytes, at: now() });
    received.catch(() => undefined);
    if (saveToDb) store.rememberFile(store.get(id)!);
    store.show(id);
    const concluding = examiner.conclude(id, pipeline, examination, recovery.done);
    const redis = examination.redis!.first;
    const verdict = Promise.all([received, redis.then((answers) => (answers ? concluding : undefined))]);
    return { run: id, duplicate: false, decided: this.unlessAway(id, verdict) };
  }

  /** The same bytes for an interrupted run: it goes on, at the end of the queue, by the rules it began with. */
  private async resume(known: string, received: string): Promise<Placed> {
    const { spool, recovery, store } = this.options;
    await spool.move(received, known);
    const body = await spool.existing(known);
    if (!body) throw new Error(`the spool of run ${known} has vanished`);
    const going = recovery.goOn(store.get(known)!, body, recovery.done);
    return { run: known, duplicate: false, decided: this.unlessAway(known, going) };
  }

  /** Nobody is kept waiting for a Kafka that is away, nor by a service that stops. */
  private async unlessAway(run: string, work: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const { stop, store } = this.options;
    const away = async (): Promise<void> => {
      while (!over.signal.aborted) {
        await sleep(LOOK_MS, undefined, { signal: over.signal }).catch(() => undefined);
        if (!over.signal.aborted && !stop.aborted && !store.writable) throw kafkaAway(run);
      }
    };
    const stopped = stop.aborted
      ? Promise.resolve()
      : once(stop, 'abort', { signal: over.signal }).catch(() => undefined);
    try {
      await Promise.race([work, away(), stopped]);
    } finally {
      over.abort();
    }
  }
}

function diskProblem(error: unknown): Problem {
  const { code } = error as { code?: string };
  const wait = { 'retry-after': '60' };
  if (code === 'ENOSPC') {
    return new Problem(503, 'disk_full', 'the disk of the ingest service is full: nothing was kept', {}, wait);
  }
  if (code === 'spool_full') {
    const detail = 'as many files as ingest may keep wait to be published: nothing was kept; send it again later';
    return new Problem(503, code, detail, {}, wait);
  }
  return new Problem(500, 'body_incomplete', 'the body could not be kept: send it again');
}

async function firstChunk(iterator: AsyncIterator<Buffer>): Promise<Buffer | null> {
  for (;;) {
    const next = await iterator.next();
    if (next.done) return null;
    if (next.value.length > 0) return next.value;
  }
}

async function* withFirst(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (;;) {
    const next = await rest.next();
    if (next.done) return;
    yield next.value;
  }
}
