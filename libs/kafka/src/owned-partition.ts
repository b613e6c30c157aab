// One partition that this process owns, from assignment to loss: acquire, process, fail, acquire again. It serialises
// everything that happens to its task; partition-tasks.ts tells it about the group and Kafka.
import { isFenced, KafkaError } from './errors.js';
import type { ReadProgress } from './read-partition.js';
import type { PartitionTask, TaskBatch, TaskContext, TaskEvent, TaskStatus } from './partition-task.js';
import { RestoreProgress } from './restore-progress.js';
import { sleep } from './sleep.js';

/** What an owned partition needs of the runner around it. */
export interface Ownership {
  topic: string;
  openTask(partition: number): PartitionTask;
  /** Stops fetching the partition. */
  pause(partition: number): void;
  /** Fetches the partition from `next` on. */
  resumeAt(partition: number, next: bigint): void;
  /** Resolves once the group has confirmed our membership after this call, or `signal` aborts. */
  confirmed(signal: AbortSignal): Promise<void>;
  /** Throws `input_lost` (halt) when offset `next` is no longer in the log. */
  assertInputThere(partition: number, next: bigint): Promise<void>;
  commitOffset(partition: number, next: bigint): Promise<void>;
  onFatal(error: Error): void;
  onEvent(event: TaskEvent): void;
  acquireGiveUpMs: number;
}

const RETRY_MS = 100;
const RETRY_MAX_MS = 2000;
/** A failure after so long without work is a new trouble, not the old one going on. */
const CALM_MS = 10_000;

type Work = 'acquire' | 'process' | 'tick';

function lostError(topic: string, partition: number): KafkaError {
  return new KafkaError('task_lost', `${topic}/${partition} is no longer this task's: stop working on it`, {
    retriable: true,
  });
}

export class OwnedPartition {
  readonly #task: PartitionTask;
  readonly #lost = new AbortController();
  #hold = new AbortController();
  #state: TaskStatus['state'] = 'acquiring';
  #next: bigint | null = null;
  #highWatermark: bigint | null = null;
  #error: string | undefined;
  #restore: RestoreProgress | null = null;
  /** The tail of everything done with the task: its methods never run beside one another. */
  #last: Promise<void> = Promise.resolve();
  #isBusy = false;
  #failingSinceMs: number | null = null;
  #readySinceMs = 0;
  #retryMs = RETRY_MS;

  constructor(
    readonly partition: number,
    private readonly owner: Ownership,
  ) {
    this.#task = owner.openTask(partition);
  }

  get state(): TaskStatus['state'] {
    return this.#state;
  }

  get next(): bigint | null {
    return this.#next;
  }

  get isLost(): boolean {
    return this.#lost.signal.aborted;
  }

  get isReady(): boolean {
    return this.#state === 'ready' && !this.isLost;
  }

  status(): TaskStatus {
    const { partition } = this;
    const status: TaskStatus = { partition, state: this.#state, next: this.#next, highWatermark: this.#highWatermark };
    if (this.#error !== undefined) status.error = this.#error;
    const restoring = this.#restore?.now();
    if (restoring) status.restoring = restoring;
    return status;
  }

  /** Starts acquiring in the background, after `before` (the partition's earlier life in this process) is over. */
  start(before: Promise<void>): void {
    void this.#serially('acquire', async () => {
      await before;
      await this.#acquire();
    });
  }

  /** Marks the task lost at once; resolves when it has stopped working and forgotten its state. */
  async lose(): Promise<void> {
    if (!this.isLost) {
      this.#lost.abort();
      this.#hold.abort();
    }
    await this.#serially('acquire', () => this.#drop());
  }

  /** Resolves when nothing is being done with the task. */
  async idle(): Promise<void> {
    await this.#last;
  }

  /** Hands a batch to the task; `true` when it is handled and the position is `batch.next`. Never throws. */
  async process(batch: TaskBatch): Promise<boolean> {
    let isHandled = false;
    await this.#serially('process', async () => {
      if (!this.isReady || this.#next === null) return;
      const position = this.#next;
      const records = batch.records.filter(({ offset }) => offset >= position);
      this.#highWatermark = batch.highWatermark;
      if (records.length > 0) await this.#task.process({ ...batch, records }, this.#context(this.#hold.signal));
      if (!this.isReady) return;
      if (batch.next > position) this.#next = batch.next;
      this.#settle();
      isHandled = true;
    });
    return isHandled;
  }

  /** A fetch brought markers only: the position is past them. */
  skipTo(next: bigint, highWatermark: bigint): void {
    if (!this.isReady || this.#next === null) return;
    if (next > this.#next) this.#next = next;
    this.#highWatermark = highWatermark;
  }

  /** Runs the task's tick, unless it has none or something else is going on. */
  async tick(): Promise<void> {
    const { tick } = this.#task;
    if (tick === undefined || !this.isReady || this.#isBusy) return;
    await this.#serially('tick', async () => {
      if (this.isReady) await tick.call(this.#task, this.#context(this.#hold.signal));
    });
  }

  /** Fails the task from outside: what was found makes it wrong to go on. */
  async fail(error: unknown): Promise<void> {
    await this.#serially('process', async () => {
      throw error;
    });
  }

  /** Runs one piece of work after all before it. A failure is dealt with here and comes to nobody else. */
  #serially(work: Work, run: () => Promise<void>): Promise<void> {
    const step = this.#last.then(async () => {
      const startedAtMs = performance.now();
      this.#isBusy = true;
      try {
        await run();
      } catch (error) {
        await this.#failed(work, error, startedAtMs);
      } finally {
        this.#isBusy = false;
      }
    });
    this.#last = step;
    return step;
  }

  async #acquire(): Promise<void> {
    while (!this.isLost) {
      const hold = new AbortController();
      this.#hold = hold;
      if (this.isLost) return;
      const startedAtMs = performance.now();
      const restore = new RestoreProgress();
      this.#restore = restore;
      try {
        const next = await this.#task.acquire(this.#context(hold.signal));
        await this.owner.assertInputThere(this.partition, next);
        if (this.isLost) return;
        this.#next = next;
        this.#state = 'ready';
        this.#error = undefined;
        this.#restore = null;
        this.#readySinceMs = performance.now();
        this.owner.resumeAt(this.partition, next);
        this.owner.onEvent({ kind: 'ready', partition: this.partition, next, restored: restore.now() });
        return;
      } catch (error) {
        const isOver = await this.#endHold('acquire', error, startedAtMs);
        if (isOver) return;
        await this.#beforeNextTry();
      }
    }
  }

  async #failed(work: Work, error: unknown, startedAtMs: number): Promise<void> {
    if (this.#state !== 'ready') return;
    const isOver = await this.#endHold(work, error, startedAtMs);
    if (isOver) return;
    void this.#serially('acquire', async () => {
      await this.#beforeNextTry();
      await this.#acquire();
    });
  }

  /**
   * Own the partition again only once the group has confirmed us AFTER the failure: a zombie, which cannot be confirmed,
   * then never fences the new owner back.
   */
  async #beforeNextTry(): Promise<void> {
    const waitMs = this.#retryMs;
    this.#retryMs = Math.min(waitMs * 2, RETRY_MAX_MS);
    await Promise.all([sleep(waitMs, this.#lost.signal), this.owner.confirmed(this.#lost.signal)]);
  }

  /** Forgets everything not in Kafka; `true` when the task is not to be acquired again. */
  async #endHold(work: Work, error: unknown, startedAtMs: number): Promise<boolean> {
    this.#hold.abort();
    this.#restore = null;
    if (this.isLost) return true;
    this.#state = 'acquiring';
    this.owner.pause(this.partition);
    await this.#drop();
    if (this.isLost) return true;
    this.#error = error instanceof Error ? error.message : String(error);
    if (isHalt(error)) {
      this.#state = 'halted';
      this.owner.onEvent({ kind: 'halted', partition: this.partition, error });
      return true;
    }
    this.owner.onEvent({ kind: 'failed', partition: this.partition, during: work, error });
    const reason = this.#whyFatal(work, error, startedAtMs);
    if (reason !== null) this.owner.onFatal(reason);
    return reason !== null;
  }

  #whyFatal(work: Work, error: unknown, startedAtMs: number): Error | null {
    if (isFinal(error)) return error instanceof Error ? error : new Error(String(error));
    const nowMs = performance.now();
    const wasCalm = work !== 'acquire' && startedAtMs - this.#readySinceMs > CALM_MS;
    if (this.#failingSinceMs === null || wasCalm) this.#failingSinceMs = startedAtMs;
    const failingMs = nowMs - this.#failingSinceMs;
    if (failingMs < this.owner.acquireGiveUpMs) return null;
    return new KafkaError(
      'task_gave_up',
      `${this.owner.topic}/${this.partition} has failed for ${Math.round(failingMs / 1000)} s (${this.#error ?? ''}): ` +
        'the process ends so that it starts afresh; see the cause',
      { retriable: false, cause: error },
    );
  }

  #settle(): void {
    this.#failingSinceMs = null;
    this.#retryMs = RETRY_MS;
  }

  #noteRestore(progress: ReadProgress): void {
    this.#restore?.note(progress);
    const due = this.#restore?.due();
    if (due) this.owner.onEvent({ kind: 'restoring', partition: this.partition, progress: due });
  }

  async #drop(): Promise<void> {
    try {
      await this.#task.drop();
    } catch (error) {
      this.owner.onEvent({ kind: 'failed', partition: this.partition, during: 'acquire', error });
    }
  }

  #context(signal: AbortSignal): TaskContext {
    const { partition, owner } = this;
    const assertOwned = (): void => {
      if (signal.aborted) throw lostError(owner.topic, partition);
    };
    return {
      topic: owner.topic,
      partition,
      signal,
      assertOwned,
      restoring: (progress) => {
        if (!signal.aborted) this.#noteRestore(progress);
      },
      advance: (next) => {
        if (!signal.aborted && this.#state === 'ready') this.#next = next;
      },
      commitOffset: async (next) => {
        assertOwned();
        await owner.commitOffset(partition, next);
      },
    };
  }
}

function isHalt(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { halt?: unknown }).halt === true;
}

/** An error that says of itself that trying again is in vain. Being fenced is not: the re-acquire decides that. */
function isFinal(error: unknown): boolean {
  return (error as { retriable?: unknown } | null)?.retriable === false && !isFenced(error);
}
