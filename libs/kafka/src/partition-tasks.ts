// The consumer group side of libs/kafka: which partitions this process owns, their tasks, and what fetches bring them.
// kafkajs tells of a new assignment only by GROUP_JOIN, synchronously and before the next fetch: there lost tasks are
// ended, new ones paused and acquired in the background, kept ones put back to their own position (a join resets all).
import type { Consumer, EachBatchPayload } from 'kafkajs';
import type { KafkaClient } from './client.js';
import { KafkaError, toKafkaError } from './errors.js';
import { beatWhile } from './heartbeats.js';
import { OwnedPartition, type Ownership } from './owned-partition.js';
import { toKafkaRecord } from './partition-reader.js';
import type { PartitionTask, TaskBatch, TaskEvent, TaskStatus } from './partition-task.js';
import type { RawRecord } from './kafkajs.js';
import type { KafkaLogger } from './records.js';
import { sleep } from './sleep.js';
import { stickyAssigner } from './sticky-assigner.js';

export interface TaskRunnerOptions {
  client: KafkaClient;
  groupId: string;
  topic: string;
  openTask(partition: number): PartitionTask;
  /** Default 10,000: after so long without heartbeat the group takes the partitions away. */
  sessionTimeoutMs?: number;
  /** Default a tenth of the session timeout. */
  heartbeatIntervalMs?: number;
  /** Default 1 MiB a fetch. */
  maxBytesPerPartition?: number;
  /** How many partitions are worked on at the same time. Default 4. */
  concurrency?: number;
  /** How often `tick` is called; without it never. */
  tickMs?: number;
  /** After so long without success a task ends the process. Default 180,000. */
  acquireGiveUpMs?: number;
  /** The process is to end: a supervisor starts it afresh. Called once. */
  onFatal(error: Error): void;
  logger: KafkaLogger;
  onEvent?(event: TaskEvent): void;
}

const SESSION_TIMEOUT_MS = 10_000;
const REBALANCE_TIMEOUT_MS = 60_000;
const FETCH_WAIT_MS = 100;
const ACQUIRE_GIVE_UP_MS = 180_000;
const CONCURRENCY = 4;
/** Running handlers may finish for so long when the runner stops; then their signal aborts. */
const STOP_GRACE_MS = 4000;
const STOP_GIVE_UP_MS = 10_000;
const CONSUMER_RETRY = { initialRetryTime: 100, maxRetryTime: 1000, retries: 10 };

/** kafkajs' Batch has more than its types say: where this fetch began. */
type FetchedBatch = EachBatchPayload['batch'] & { fetchedOffset: string };

export class PartitionTaskRunner {
  readonly #owned = new Map<number, OwnedPartition>();
  /** The end of the last life of a partition in this process: its next life waits for it. */
  readonly #ending = new Map<number, Promise<void>>();
  readonly #consumer: Consumer;
  readonly #ownership: Ownership;
  readonly #heartbeatIntervalMs: number;
  readonly #waiters = new Set<() => void>();
  /** kafkajs' own commit for handlers: unlike the consumer's, it still works while the consumer stops. */
  #commit: EachBatchPayload['commitOffsetsIfNecessary'] | null = null;
  #ticking: NodeJS.Timeout | null = null;
  #memberId = '';
  #generation = -1;
  #isJoined = false;
  #isStopping = false;
  #isFatal = false;
  #lastHeartbeatAtMs: number | null = null;

  constructor(private readonly options: TaskRunnerOptions) {
    const sessionTimeoutMs = options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS;
    this.#heartbeatIntervalMs = options.heartbeatIntervalMs ?? Math.floor(sessionTimeoutMs / 10);
    this.#consumer = options.client.openConsumer({
      groupId: options.groupId,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: this.#heartbeatIntervalMs,
      rebalanceTimeout: Math.max(REBALANCE_TIMEOUT_MS, sessionTimeoutMs),
      maxWaitTimeInMs: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytesPerPartition: options.maxBytesPerPartition ?? 1 << 20,
      allowAutoTopicCreation: false,
      readUncommitted: false,
      partitionAssigners: [stickyAssigner(() => this.#claim())],
      retry: { ...CONSUMER_RETRY, restartOnFailure: async () => !this.#isStopping && !this.#isFatal },
    });
    this.#ownership = this.#makeOwnership();
    this.#listen();
  }

  /**
   * Joins the group and begins; rejects when the topic is missing or Kafka is away. Resolves when the first join has
   * ended: `joined` says how (a failed one is tried again), and tasks are acquired after it in the background.
   */
  async start(): Promise<void> {
    const { topic, concurrency = CONCURRENCY, tickMs } = this.options;
    try {
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [topic], fromBeginning: true });
      await this.#consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: concurrency,
        eachBatch: (payload) => this.#eachBatch(payload),
      });
    } catch (error) {
      await this.stop();
      throw toKafkaError(error);
    }
    if (tickMs !== undefined) this.#ticking = setInterval(() => this.#tick(), tickMs);
  }

  /** Lets running handlers finish (4 s, then their signal aborts), leaves the group, drops the tasks. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    if (this.#ticking !== null) clearInterval(this.#ticking);
    for (const owned of this.#owned.values()) if (!owned.isReady) void this.#lose(owned);
    const left = new AbortController();
    const grace = sleep(STOP_GRACE_MS, left.signal).then(() => this.#loseAll());
    const giveUp = sleep(STOP_GIVE_UP_MS, left.signal);
    const leave = this.#consumer.disconnect().catch((error: unknown) => {
      this.options.logger.warn('leaving the group failed: Kafka notices by the session timeout', {
        error: String(error),
      });
    });
    await Promise.race([leave, giveUp]);
    left.abort();
    await grace;
    const dropped = new AbortController();
    await Promise.race([Promise.all(this.#ending.values()), sleep(STOP_GRACE_MS, dropped.signal)]);
    dropped.abort();
    this.#isJoined = false;
  }

  status(): TaskStatus[] {
    return [...this.#owned.values()].map((owned) => owned.status()).sort((a, b) => a.partition - b.partition);
  }

  /** Whether this process is a member of the group now. */
  get joined(): boolean {
    return this.#isJoined;
  }

  /** Epoch ms of the group's last confirmation of this member (heartbeat or join); null before the first. */
  get lastHeartbeatAtMs(): number | null {
    return this.#lastHeartbeatAtMs;
  }

  #listen(): void {
    const { HEARTBEAT, GROUP_JOIN, START_BATCH_PROCESS, CRASH, STOP } = this.#consumer.events;
    this.#consumer.on(HEARTBEAT, ({ payload }) => {
      this.#generation = payload.groupGenerationId;
      this.#confirm();
    });
    this.#consumer.on(GROUP_JOIN, ({ payload }) => {
      this.#joined(payload.memberId, payload.memberAssignment[this.options.topic] ?? []);
    });
    this.#consumer.on(START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0) this.#skipMarkers(payload);
    });
    this.#consumer.on(STOP, () => {
      this.#isJoined = false;
    });
    this.#consumer.on(CRASH, ({ payload }) => this.#crashed(payload.error, payload.restart));
  }

  /** Synchronous, and never throws: kafkajs calls it in the middle of its join. */
  #joined(memberId: string, partitions: number[]): void {
    this.#confirm();
    if (this.#isStopping) return;
    // A new member id means that membership was lost in between: whatever was owned may have been another's since.
    if (memberId !== this.#memberId) this.#loseAll();
    this.#memberId = memberId;
    this.#isJoined = true;
    this.#emit({ kind: 'joined', partitions });
    for (const owned of this.#owned.values()) if (!partitions.includes(owned.partition)) void this.#lose(owned);
    for (const partition of partitions) {
      const owned = this.#owned.get(partition);
      if (owned === undefined) this.#own(partition);
      else if (owned.isReady && owned.next !== null) this.#ownership.resumeAt(partition, owned.next);
      else this.#ownership.pause(partition);
      if (owned?.state === 'halted') this.#reown(owned);
    }
  }

  #own(partition: number): void {
    this.#ownership.pause(partition);
    const owned = new OwnedPartition(partition, this.#ownership);
    this.#owned.set(partition, owned);
    owned.start(this.#ending.get(partition) ?? Promise.resolve());
  }

  /** What made them halt may be over: halted partitions are acquired again, as after a new assignment. */
  retryHalted(): void {
    for (const owned of Array.from(this.#owned.values())) if (owned.state === 'halted') this.#reown(owned);
  }

  /** A new assignment is a halted partition's next chance. */
  #reown(owned: OwnedPartition): void {
    void this.#lose(owned);
    this.#own(owned.partition);
  }

  #lose(owned: OwnedPartition): Promise<void> {
    const { partition } = owned;
    this.#owned.delete(partition);
    this.#emit({ kind: 'lost', partition });
    const before = this.#ending.get(partition) ?? Promise.resolve();
    const ending = Promise.all([before, owned.lose()]).then(() => {
      if (this.#ending.get(partition) === ending) this.#ending.delete(partition);
    });
    this.#ending.set(partition, ending);
    return ending;
  }

  #loseAll(): void {
    for (const owned of this.#owned.values()) void this.#lose(owned);
  }

  #crashed(error: Error, willRestart: boolean): void {
    this.#isJoined = false;
    this.#commit = null;
    // The consumer has left the group: others may own the partitions until it joins again.
    this.#loseAll();
    if (this.#isStopping) return;
    if (willRestart) this.#emit({ kind: 'restarting', error });
    else this.#fatal(toKafkaError(error));
  }

  /** Handles one fetched batch; returns without resolving it when the task cannot take it now. */
  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset, heartbeat, isRunning, isStale } = payload;
    const owned = this.#owned.get(batch.partition);
    if (owned === undefined || !owned.isReady || !isRunning() || isStale()) return;
    this.#commit = payload.commitOffsetsIfNecessary;
    const beating = beatWhile(heartbeat, this.#heartbeatIntervalMs);
    try {
      await owned.idle(); // a tick may be running
      if (!owned.isReady || !isRunning() || isStale()) return;
      const { fetchedOffset } = batch as FetchedBatch;
      if (BigInt(fetchedOffset) !== owned.next) return await this.#realign(owned);
      const isHandled = await owned.process(toTaskBatch(batch));
      const last = batch.messages.at(-1);
      if (!isHandled || last === undefined) return;
      // A join during the work has put the position back to where the work began.
      if (isStale() && owned.next !== null) this.#ownership.resumeAt(owned.partition, owned.next);
      else resolveOffset(last.offset);
    } finally {
      await beating.stop();
    }
    await heartbeat();
  }

  /** The fetch did not begin where the task is: kafkajs reset the position by itself, or was told a stale one. */
  async #realign(owned: OwnedPartition): Promise<void> {
    const next = owned.next;
    if (next === null) return;
    try {
      await this.#assertInputThere(owned.partition, next);
      this.#ownership.resumeAt(owned.partition, next);
    } catch (error) {
      await owned.fail(error);
    }
  }

  /** A fetch of markers only never reaches eachBatch; kafkajs is past it, and so is the task. */
  #skipMarkers(payload: { partition: number; firstOffset: string; lastOffset: string; highWatermark: string }): void {
    const owned = this.#owned.get(payload.partition);
    if (owned?.next == null) return;
    const hasGap = BigInt(payload.firstOffset) > owned.next;
    // A gap is nearly always compaction; a log that lost its head looks the same, so it is asked.
    if (hasGap) void this.#realignWhenLost(owned, owned.next);
    owned.skipTo(BigInt(payload.lastOffset) + 1n, BigInt(payload.highWatermark));
  }

  async #realignWhenLost(owned: OwnedPartition, next: bigint): Promise<void> {
    try {
      await this.#assertInputThere(owned.partition, next);
    } catch (error) {
      await owned.fail(error);
    }
  }

  async #assertInputThere(partition: number, next: bigint): Promise<void> {
    const { client, topic } = this.options;
    const offsets = (await client.offsets(topic)).find((one) => one.partition === partition);
    if (offsets === undefined) {
      throw new KafkaError('unknown_topic', `topic ${topic} has no partition ${partition}`, { retriable: true });
    }
    if (next < offsets.start) throw inputLostError(`${topic}/${partition}`, next, offsets.start);
    if (next > offsets.end) throw inputLostError(`${topic}/${partition}`, offsets.end, next);
  }

  #makeOwnership(): Ownership {
    const { topic, openTask, acquireGiveUpMs = ACQUIRE_GIVE_UP_MS } = this.options;
    return {
      topic,
      acquireGiveUpMs,
      openTask: (partition) => openTask(partition),
      pause: (partition) => this.#whenConsuming(() => this.#consumer.pause([{ topic, partitions: [partition] }])),
      resumeAt: (partition, next) =>
        this.#whenConsuming(() => {
          this.#consumer.seek({ topic, partition, offset: next.toString() });
          this.#consumer.resume([{ topic, partitions: [partition] }]);
        }),
      confirmed: (signal) => this.#confirmed(signal),
      assertInputThere: (partition, next) => this.#assertInputThere(partition, next),
      commitOffset: (partition, next) => this.#commitOffset(partition, next),
      onFatal: (error) => this.#fatal(error),
      onEvent: (event) => this.#emit(event),
    };
  }

  /** Between a crash and the restart there is no group to pause or seek in; the next join sets all of it. */
  #whenConsuming(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.options.logger.debug('no consumer group at the moment', { error: String(error) });
    }
  }

  async #commitOffset(partition: number, next: bigint): Promise<void> {
    try {
      const { topic } = this.options;
      const offset = next.toString();
      if (this.#commit !== null) await this.#commit({ topics: [{ topic, partitions: [{ partition, offset }] }] });
      else await this.#consumer.commitOffsets([{ topic, partition, offset }]);
    } catch (error) {
      throw toKafkaError(error);
    }
  }

  #claim(): { generation: number; partitions: number[] } {
    return { generation: this.#generation, partitions: [...this.#owned.keys()] };
  }

  #confirm(): void {
    this.#lastHeartbeatAtMs = Date.now();
    for (const resolve of this.#waiters) resolve();
  }

  #confirmed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        this.#waiters.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiters.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #tick(): void {
    for (const owned of this.#owned.values()) void owned.tick();
  }

  #fatal(error: Error): void {
    if (this.#isFatal || this.#isStopping) return;
    this.#isFatal = true;
    this.options.onFatal(error);
  }

  #emit(event: TaskEvent): void {
    try {
      this.options.onEvent?.(event);
    } catch (error) {
      this.options.logger.warn('a task event listener failed', { error: String(error) });
    }
  }
}

/** Offsets `from` up to, not including, `to` were never read and are not in the log. */
function inputLostError(where: string, from: bigint, to: bigint): KafkaError {
  return new KafkaError(
    'input_lost',
    `input_lost: ${where}: offsets ${from} to ${to - 1n} are gone: their records were deleted before they were read. Raise the ` +
      'retention of the topic; `caudal reset <pipeline> --replay --accept-loss` begins anew with what is left',
    { retriable: false, halt: true },
  );
}

function toTaskBatch(batch: EachBatchPayload['batch']): TaskBatch {
  const records = batch.messages.map((message) =>
    // kafkajs' types leave a record's `headers` optional; the decoder always sets it.
    toKafkaRecord(batch.topic, batch.partition, message as unknown as RawRecord),
  );
  return { records, next: BigInt(batch.lastOffset()) + 1n, highWatermark: BigInt(batch.highWatermark) };
}
