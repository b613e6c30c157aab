// The way of a file into ingest: recorded at its first byte, spooled and checked at the same time; once it is whole it is
// known, or one that an interrupted run waits for, or new.
import { ENDED_STATES, type Again, type Pipeline, type RunError, type RunSource, type StoredRun } from '#contracts';
import { DateTime } from 'luxon';
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
  /** Why a pipeline takes nothing before a reset; null: it does. */
  refusal: (pipeline: string) => string | null;
  /** Its aggregator is so far behind that rows might be deleted before they are read. */
  isBehind: (pipeline: string) => boolean;
}

/** A file whose body is whole. */
export interface Placed {
  /** Its run, or the earlier run of the same bytes. */
  run: string;
  duplicate: boolean;
  /** What is kept of an earlier run that retention has deleted: the store does not know its id any more. */
  kept?: StoredRun;
  /**
   * Resolves when the answer is known: the checks are through, or at once when Redis is away. Rejects with a
   * {@link Problem} (503) when Kafka does not take the run's changes.
   */
  decided: Promise<void>;
}

/** A file at the door, whichever way it came. */
export interface Arriving {
  pipeline: Pipeline;
  saveToDb: boolean;
  fileName: string | null;
  /** The file's own bytes; errors are {@link Problem}s. */
  bytes: AsyncIterable<Buffer>;
  source: RunSource;
  /** `yyyy-MM-dd`; default: today in the pipeline's zone. */
  runDate?: string;
  /** A known file is processed once more, as a new run. */
  again?: { reason: string | null };
  /** Told of the new run's id once Kafka has it. */
  onRun?: (id: string) => void;
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
    // A rehearsal adds no rows.
    if (arriving.saveToDb) this.assertTaken(arriving.pipeline.name);
    const iterator = arriving.bytes[Symbol.asyncIterator]();
    try {
      const first = await firstChunk(iterator);
      if (!first) throw new Problem(400, 'empty_body', 'the body has 0 bytes: send a CSV file with a header line');
      const run = this.newRun(arriving);
      await this.record(run);
      arriving.onRun?.(run.id);
      return await this.spoolAndPlace(run, arriving, withFirst(first, iterator));
    } finally {
      // Whatever ended this: nobody reads on.
      await iterator.return?.();
    }
  }

  private assertTaken(pipeline: string): void {
    const refusal = this.options.refusal(pipeline);
    if (refusal !== null) throw pipelineChanged(pipeline, refusal);
    if (this.options.isBehind(pipeline)) throw aggregatorBehind();
  }

  /** A run of a file that never came: it has failed, and says why. Throws a {@link Problem} (503) where Kafka is away. */
  async refuse(arriving: Omit<Arriving, 'bytes'>, error: RunError): Promise<string> {
    const run = this.newRun(arriving);
    await this.record(run);
    this.options.store.show(run.id);
    await this.options.examiner.fail(run.id, error);
    return run.id;
  }

  private newRun({ pipeline, fileName, saveToDb, source, runDate }: Omit<Arriving, 'bytes'>): StoredRun {
    const createdAtMs = this.options.now();
    return newRun({
      id: this.nextId(),
      pipeline: pipeline.name,
      pipelineText: pipeline.text,
      fileName,
      saveToDb,
      createdAtMs,
      source,
      runDate: runDate ?? dayIn(pipeline.timeZone, createdAtMs),
      ...(pipeline.notify ? { notifyOn: pipeline.notify.on } : {}),
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

  private async spoolAndPlace(run: StoredRun, arriving: Arriving, bytes: AsyncIterable<Buffer>): Promise<Placed> {
    const { store, spool, examiner, now } = this.options;
    const { pipeline } = arriving;
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
    return this.place(run.id, sha256, body, arriving, examination);
  }

  /**
   * The body did not become whole. What was cut off leaves a failed run, and so does whatever ends a run that somebody
   * has been told of; what should not have come leaves none.
   */
  private async lost(id: string, error: unknown): Promise<Problem> {
    const { store, spool, examiner } = this.options;
    examiner.letGo(id);
    await spool.remove(id).catch(() => undefined);
    const problem = error instanceof Problem ? error : diskProblem(error);
    if (problem.code === 'disk_full') await spool.dropKept().catch(() => undefined);
    const { code, detail, status, headers } = problem;
    if (!CUT_OFF.has(code) && !store.shown(id)) {
      store.remove(id);
      return problem;
    }
    store.show(id);
    await examiner.fail(id, { code, message: detail, retriable: code !== 'too_large' });
    return new Problem(status, code, detail, { run: id }, headers);
  }

  /** The body is whole: these bytes may be known, or be those of an interrupted run. */
  private async place(
    id: string,
    sha256: string,
    body: SpooledBody,
    arriving: Arriving,
    examination: Examination,
  ): Promise<Placed> {
    const { store, examiner, recovery, now } = this.options;
    const { pipeline, saveToDb } = arriving;
    if (ENDED_STATES.has(store.get(id)!.state)) return this.cancelledMeanwhile(id, examination);
    const known = saveToDb ? store.knownFile(pipeline.name, sha256) : undefined;
    // What an interrupted run has begun is ended first, also when the file was sent to be processed again.
    if (known && (!arriving.again || known.state === 'interrupted')) return this.placeKnown(id, known, examination);
    const received = store.apply(id, { type: 'received', sha256, bytes: body.bytes, at: now() });
    received.catch(() => undefined);
    if (known) {
      // The mark stays with the earlier run: should this one be refused, the file is known all the same.
      store
        .apply(id, { type: 'again', again: againOf(pipeline, known.id, arriving.again!.reason) })
        .catch(() => undefined);
    } else if (saveToDb) store.rememberFile(store.get(id)!);
    store.show(id);
    const concluding = examiner.conclude(id, pipeline, examination, recovery.done);
    const redis = examination.redis!.first;
    const verdict = Promise.all([received, redis.then((answers) => (answers ? concluding : undefined))]);
    return { run: id, duplicate: false, decided: this.unlessAway(id, verdict) };
  }

  private async placeKnown(id: string, known: StoredRun, examination: Examination): Promise<Placed> {
    const { store, spool, examiner, now } = this.options;
    const resumes = known.state === 'interrupted';
    // At once: of several senders of the same bytes one resumes the run, the others find it in progress.
    const resumed = resumes ? store.apply(known.id, { type: 'resumed', at: now() }) : null;
    resumed?.catch(() => undefined);
    // The check reads the body that is about to go: let it end first.
    await examination.checked.catch(() => undefined);
    examiner.letGo(id);
    if (store.shown(id)) {
      const error = { code: 'duplicate', message: `run ${known.id} has the same bytes`, retriable: false };
      await store.apply(id, { type: 'ended', state: 'cancelled', error, at: now() });
    } else store.remove(id);
    if (resumes) return this.resume(known.id, id);
    await spool.remove(id);
    const kept = store.get(known.id) ? {} : { kept: known };
    return { run: known.id, duplicate: true, decided: Promise.resolve(), ...kept };
  }

  private async cancelledMeanwhile(id: string, examination: Examination): Promise<Placed> {
    await examination.checked.catch(() => undefined);
    this.options.examiner.letGo(id);
    await this.options.spool.remove(id);
    return { run: id, duplicate: false, decided: Promise.resolve() };
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

/** `yyyy-MM-dd` of a moment in an IANA zone. */
export function dayIn(timeZone: string, ms: number): string {
  return DateTime.fromMillis(ms, { zone: timeZone }).toFormat('yyyy-MM-dd');
}

/** What it means to process a known file once more. */
function againOf(pipeline: Pipeline, of: string, reason: string | null): Again {
  const views = pipeline.views.filter((view) => view.window.type !== 'upload').map((view) => view.name);
  const message =
    views.length === 0
      ? `run ${of} has the same bytes; its results are replaced by the same ones`
      : `run ${of} has the same bytes: in ${views.join(', ')} every row of the file counts once more`;
  return { of, reason, counts_again_in: views, message };
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

function pipelineChanged(pipeline: string, why: string): Problem {
  const detail =
    `the pipeline file does not fit what was published (${why}): undo the change, or give the state up with ` +
    `"caudal reset ${pipeline}"`;
  return new Problem(409, 'pipeline_changed', detail);
}

function aggregatorBehind(): Problem {
  const detail =
    'rows of earlier files would be deleted from Kafka before the aggregator has read them: see that one runs, then send the file again';
  return new Problem(503, 'aggregator_behind', detail, {}, { 'retry-after': '60' });
}
