// An aggregator process in the simulation: it hears of its assignment late, works on its tasks side by side, drops and
// acquires a task anew after any error once the group has confirmed it, as the runner of libs/kafka does.
import { KafkaError, type KafkaClient, type PartitionTask, type TaskContext } from '#kafka';
import { SimClient, type SimClientOptions } from './sim-client.js';
import type { Owner, Scheduler } from './scheduler.js';

/** One partition of one input topic. */
export interface TaskName {
  topic: string;
  partition: number;
}

export interface ProcessOptions extends Omit<SimClientOptions, 'owner' | 'name'> {
  openTask(name: TaskName, client: KafkaClient): PartitionTask;
  /** The tasks that the group gives this process now: what the process knows is older. */
  assigned(process: SimProcess): TaskName[];
  /** Rises with every assignment. */
  rebalances(): number;
  /** An error that no fault explains: the simulation has found something. */
  onBug(error: unknown): void;
}

const HEAR_ONE_IN = 10;
const FETCH_RECORDS = 12;
/** What faults cause; anything else is a bug. */
const PASSING = new Set([
  'fenced',
  'kafka_unavailable',
  'producer_broken',
  'task_lost',
  'read_aborted',
  'kafka_failed',
]);

export class SimProcess implements Owner {
  isStopped = false;
  isDead = false;
  /** Tasks dropped and acquired again after an error. */
  failures = 0;
  private readonly holds = new Map<string, AbortController>();
  private readonly client: SimClient;

  constructor(
    readonly name: string,
    private readonly options: ProcessOptions,
  ) {
    this.client = new SimClient({ ...options, owner: this, name });
    void this.listen();
  }

  private get scheduler(): Scheduler {
    return this.options.scheduler;
  }

  /** The group tells of a new assignment only when it is its turn to. */
  private async listen(): Promise<void> {
    let heard = 0;
    for (;;) {
      await this.scheduler.turn(this, () => this.options.rebalances() > heard);
      if (!this.scheduler.oneIn(HEAR_ONE_IN)) continue;
      heard = this.options.rebalances();
      this.hear();
    }
  }

  private hear(): void {
    const tasks = new Map(this.options.assigned(this).map((task) => [nameOf(task), task]));
    for (const [name, hold] of this.holds) {
      if (tasks.has(name)) continue;
      hold.abort();
      this.holds.delete(name);
    }
    for (const [name, task] of tasks) {
      if (this.holds.has(name)) continue;
      const hold = new AbortController();
      this.holds.set(name, hold);
      void this.own(task, hold.signal);
    }
  }

  private async own(name: TaskName, lost: AbortSignal): Promise<void> {
    const task = this.options.openTask(name, this.client.asKafkaClient());
    while (!lost.aborted) {
      const hold = new AbortController();
      const end = (): void => hold.abort();
      lost.addEventListener('abort', end, { once: true });
      try {
        await this.work(name, task, contextOf(name, hold.signal));
      } catch (error) {
        this.failures++;
        if (!(error instanceof KafkaError) || !PASSING.has(error.code)) this.options.onBug(error);
      }
      end();
      await task.drop();
      // Only a member that the group confirms after the failure acquires again: a zombie hears that it is none.
      await this.scheduler.turn(this);
      this.hear();
    }
  }

  /** Until the task is lost. */
  private async work(name: TaskName, task: PartitionTask, context: TaskContext): Promise<void> {
    const { topic, partition } = name;
    let next = await task.acquire(context);
    while (!context.signal.aborted) {
      const limit = this.scheduler.random.between(1, FETCH_RECORDS);
      const fetched = await this.client.fetch(topic, partition, next, limit);
      if (context.signal.aborted) return;
      const batch = { records: fetched.records, next: fetched.next, highWatermark: fetched.end };
      if (batch.records.length > 0) await task.process(batch, context);
      next = batch.next;
      const hasMore = (): boolean => context.signal.aborted || this.options.broker.end(topic, partition) > next;
      await this.scheduler.turn(this, hasMore);
    }
  }
}

function contextOf({ topic, partition }: TaskName, signal: AbortSignal): TaskContext {
  return {
    topic,
    partition,
    signal,
    assertOwned: () => {
      if (signal.aborted) throw new KafkaError('task_lost', 'lost', { retriable: true });
    },
    restoring: () => undefined,
    advance: () => undefined,
    commitOffset: async () => {},
  };
}

export const nameOf = ({ topic, partition }: TaskName): string => `${topic}/${partition}`;
