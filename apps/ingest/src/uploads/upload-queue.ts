// Third station: uploads of one pipeline take effect one after the other, in the order in which they passed their
// checks. One queue per pipeline; it owns the pipeline's publisher and its retries.
import { ENDED_STATES, type ActivePipeline, type Generation, type StoredRun, type UploadProgress } from '#contracts';
import { isFenced } from '#kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunStore } from '../runs/run-store.js';
import type { Publisher } from './publisher.js';
import type { Spool } from './spool.js';

export interface UploadQueueOptions {
  publisher: Publisher;
  store: RunStore;
  spool: Spool;
  /** Reports that are due of an upload: partitions per stage. */
  expects: Record<string, number>;
  now: () => number;
  log: { warn(fields: object, message: string): void };
  /** A pipeline that cannot publish for {@link GIVE_UP_MS} ends the process; so does a fenced publisher. */
  onFatal: (error: unknown) => void;
}

const GIVE_UP_MS = 15 * 60_000;
const RETRY_MS = 500;

/** Thrown between two transactions of a file: what is committed stays, a restart goes on there. */
class Stopping extends Error {}

export class UploadQueue {
  private readonly waiting: string[] = [];
  private working: Promise<void> | null = null;
  private readonly stopping = new AbortController();
  private ready = false;

  constructor(private readonly options: UploadQueueOptions) {}

  /** Fences and learns where earlier uploads stand; forgets those that have ended. */
  async start(): Promise<void> {
    await this.open();
    this.ready = true;
  }

  get isReady(): boolean {
    return this.ready;
  }

  progressOf(run: string): UploadProgress | undefined {
    return this.options.publisher.progressOf(run);
  }

  /** Largest event time of the uploads that have ended, epoch ms; null before the first. */
  get streamTime(): number | null {
    return this.options.publisher.streamTime;
  }

  /** Uploads that stand in the line, the one that is being published included. */
  get waitingUploads(): number {
    return this.waiting.length + (this.working === null ? 0 : 1);
  }

  /** Why nothing is published under this pipeline file before a reset; null: it is. */
  get refusal(): string | null {
    return this.options.publisher.refusal;
  }

  /** By view: when it began. */
  get since(): ActivePipeline['since'] {
    return this.options.publisher.since;
  }

  /**
   * A new generation (see the publisher). `from` is asked once nothing is published any more; uploads that come meanwhile
   * wait. Null while the line moves.
   */
  async reset(from: () => Promise<readonly bigint[]>): Promise<Generation | null> {
    if (this.working !== null) return null;
    const resetting = from().then((offsets) => this.options.publisher.reset(offsets));
    const goOn = () => this.work();
    this.working = resetting.then(goOn, goOn);
    return resetting;
  }

  /** Puts a run that has passed its checks, or is to be given up, at the end of the line. */
  add(run: string): void {
    this.waiting.push(run);
    this.working ??= this.work();
  }

  /** What is being published stops at the next transaction; a restart goes on there. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.working;
    await this.options.publisher.close();
  }

  private async open(): Promise<void> {
    const { publisher } = this.options;
    await publisher.open();
    this.forgetEnded();
  }

  /** Ended runs give up their place in `uploads` with the next transaction. */
  private forgetEnded(): void {
    const { publisher, store } = this.options;
    for (const run of publisher.knownRuns()) {
      const known = store.get(run);
      if (!known || ENDED_STATES.has(known.state)) publisher.forget(run);
    }
  }

  private async work(): Promise<void> {
    // Not at once: `working` has to be set before it is cleared below.
    await Promise.resolve();
    while (this.waiting.length > 0 && !this.stopping.signal.aborted) {
      const id = this.waiting.shift()!;
      const run = this.options.store.get(id);
      if (run && !ENDED_STATES.has(run.state)) await this.takeTurn(run);
    }
    this.working = null;
  }

  /** Never rejects. Later uploads wait until this one is out, or the process ends: their order is a promise. */
  private async takeTurn(run: StoredRun): Promise<void> {
    const { log, now, onFatal } = this.options;
    const giveUpAt = now() + GIVE_UP_MS;
    const { signal } = this.stopping;
    for (let reopen = false; !signal.aborted; reopen = true) {
      try {
        if (reopen) await this.open();
        this.forgetEnded();
        if (this.refusal !== null) await this.refuse(run, this.refusal);
        else if (run.internal.abandoning) await this.abandon(run);
        else await this.publish(run);
        this.ready = true;
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (isMissingFile(error)) return this.interrupt(run.id);
        this.ready = false;
        log.warn({ err: error, run: run.id }, 'publishing was interrupted; the publisher is opened again');
        if (isFenced(error) || now() > giveUpAt) {
          this.stopping.abort();
          onFatal(error);
          return;
        }
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Somebody has emptied the spool: the same bytes, sent again, resume the run. */
  private async interrupt(id: string): Promise<void> {
    const { store, log, now } = this.options;
    log.warn({ run: id }, 'the spooled file is gone: the run is interrupted until the same file is sent again');
    await store.apply(id, { type: 'interrupted', at: now() }).catch(() => undefined);
  }

  /** The file stands in the line of a pipeline whose keys have changed since. */
  private async refuse(run: StoredRun, why: string): Promise<void> {
    const { store, now } = this.options;
    const message = `the pipeline file does not fit what was published (${why}): undo the change or reset the pipeline, then send the file again`;
    const error = { code: 'pipeline_changed', message, retriable: false };
    await store.apply(run.id, { type: 'ended', state: 'failed', error, at: now() });
  }

  private async abandon(run: StoredRun): Promise<void> {
    const { publisher, store, now } = this.options;
    const { published, dead_letters: deadLetters } = publisher.progressOf(run.id) ?? {
      published: run.rows.published,
      dead_letters: null,
    };
    await publisher.abandon(run.id);
    const message =
      `given up half-way: its upload windows are dropped; the ${published} rows that were published stay in the rows ` +
      'topic, and stay counted in all other views';
    const error = { code: 'abandoned', message, retriable: false };
    // A crash may have cut off what the run knew of it.
    await store.apply(run.id, { type: 'progress', published, deadLetters });
    await store.apply(run.id, { type: 'ended', state: 'cancelled', error, at: now() });
  }

  private async publish(run: StoredRun): Promise<void> {
    const { publisher, store, spool, expects, now } = this.options;
    const already = publisher.progressOf(run.id);
    const sequence = already?.ended ? already.sequence : publisher.nextSequence();
    // Durable before the first row: after a crash the sequence decides which reports count for this run.
    const { state } = await store.apply(run.id, { type: 'publishing', sequence, at: now() });
    // Cancelled while the publisher was opened.
    if (state !== 'publishing') return;
    const progress = await publisher.publish({
      run: run.id,
      typedPath: spool.typedPath(run.id),
      sequence,
      read: run.rows.read,
      createdAt: run.created_at,
      onProgress: ({ published, dead_letters: deadLetters }) => {
        store.apply(run.id, { type: 'progress', published, deadLetters }).catch(() => undefined);
        if (this.stopping.signal.aborted) throw new Stopping('ingest is stopping');
      },
    });
    await store.apply(run.id, {
      type: 'published',
      published: progress.published,
      expects,
      deadLetters: progress.dead_letters,
      at: now(),
    });
    await spool.remove(run.id);
    await store.foldReports(run.id);
  }
}

function isMissingFile(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ENOENT';
}
