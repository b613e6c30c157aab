// Third station: uploads of one pipeline take effect one after the other, in the order in which they passed their
// checks. One queue per pipeline; it owns the pipeline's publisher and its retries.
import { ENDED_STATES, type StoredRun, type UploadProgress } from '#contracts';
import { isFenced } from '#kafka';
import type { RunStore } from '../runs/run-store.js';
import type { Publisher } from './publisher.js';
import type { Spool } from './spool.js';

export interface UploadQueueOptions {
  publisher: Publisher;
  store: RunStore;
  spool: Spool;
  partitions: number;
  now: () => number;
  log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
  /** A pipeline that cannot publish for {@link GIVE_UP_MS} ends the process; so does a fenced publisher. */
  onFatal: (error: unknown) => void;
}

const GIVE_UP_MS = 15 * 60_000;
const RETRY_MS = 500;

export class UploadQueue {
  private readonly waiting: string[] = [];
  private working: Promise<void> | null = null;
  private stopping = false;
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

  get length(): number {
    return this.waiting.length;
  }

  progressOf(run: string): UploadProgress | undefined {
    return this.options.publisher.progressOf(run);
  }

  /** Puts a run that has passed its checks at the end of the line. */
  add(run: string): void {
    this.waiting.push(run);
    this.working ??= this.work();
  }

  /** The run has ended: its place in `uploads` is given up. */
  forget(run: string): void {
    this.options.publisher.forget(run);
  }

  /** What is being published stops at the next transaction; a restart goes on there. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.working;
    await this.options.publisher.close();
  }

  private async open(): Promise<void> {
    const { publisher, store } = this.options;
    await publisher.open();
    for (const run of publisher.knownRuns()) {
      const known = store.get(run);
      if (!known || ENDED_STATES.has(known.state)) publisher.forget(run);
    }
  }

  private async work(): Promise<void> {
    while (this.waiting.length > 0 && !this.stopping) {
      const id = this.waiting.shift()!;
      const run = this.options.store.get(id);
      if (run && !ENDED_STATES.has(run.state)) await this.publishWithRetries(run);
    }
    this.working = null;
  }

  private async publishWithRetries(run: StoredRun): Promise<void> {
    const { log, now, onFatal } = this.options;
    const giveUpAt = now() + GIVE_UP_MS;
    let reopen = false;
    while (!this.stopping) {
      try {
        if (reopen) await this.open();
        await this.publish(run);
        this.ready = true;
        return;
      } catch (error) {
        this.ready = false;
        if (this.stopping) return;
        log.warn({ err: error, run: run.id }, 'publishing was interrupted; the publisher is opened again');
        if (isFenced(error) || now() > giveUpAt) {
          onFatal(error);
          return;
        }
        reopen = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private async publish(run: StoredRun): Promise<void> {
    const { publisher, store, spool, partitions, now } = this.options;
    const already = publisher.progressOf(run.id);
    const sequence = already?.ended ? already.sequence : publisher.nextSequence();
    // Durable before the first row: after a crash the sequence decides which reports count for this run.
    await store.apply(run.id, { type: 'publishing', sequence, at: now() });
    const progress = await publisher.publish({
      run: run.id,
      typedPath: spool.typedPath(run.id),
      sequence,
      read: run.rows.read,
      onProgress: ({ published }) => {
        store.apply(run.id, { type: 'progress', published }).catch(() => undefined);
        if (this.stopping) throw new Error('stopping');
      },
    });
    await store.apply(run.id, {
      type: 'published',
      expects: { rows: partitions },
      deadLetters: progress.dead_letters,
      at: now(),
    });
    await spool.remove(run.id);
    await store.foldReports(run.id);
  }
}
