// A whole deployment in the simulation: ingest that publishes uploads, a group of aggregator processes that are killed,
// stopped, continued, replaced and rebalanced, and at last a calm time in which all that is left is worked off. Every
// choice comes from the seed.
import { encodeControl, GENERATION_KEY, pipelineTopics, type Pipeline } from '#contracts';
import { partitionForKey, type OutRecord } from '#kafka';
import { SimBroker } from './sim-broker.js';
import type { Mutant } from './sim-client.js';
import { SimProcess, nameOf, type ProcessOptions, type TaskName } from './sim-process.js';
import { Scheduler, type Owner } from './scheduler.js';

export interface SimRow {
  city: string;
  shop: string;
  timeMs: number;
  amount: number;
}

export interface WorldOptions {
  seed: number;
  pipeline: Pipeline;
  partitions: number;
  uploads: SimRow[][];
  /** Input topics whose partitions are tasks. */
  inputs: string[];
  openTask: ProcessOptions['openTask'];
  isOffsetRecord: ProcessOptions['isOffsetRecord'];
  /** Without faults nothing is lost and nobody dies. */
  isCalm?: boolean;
  mutant?: Mutant;
}

export const PREFIX = 'sim';
const CHAOS_STEPS = 700;
const CALM_STEPS_MAX = 60_000;
const EVENT_EVERY = 20;
const LOSS_EVERY = 30;
const PROCESSES = 2;
const INGEST_ID = 'publisher';

/** What happened, so that a test can tell that faults fired. */
export interface Happened {
  kills: number;
  stops: number;
  rebalances: number;
  failures: number;
}

export class World {
  readonly broker: SimBroker;
  readonly happened: Happened = { kills: 0, stops: 0, rebalances: 0, failures: 0 };
  /** Errors that no fault explains. */
  readonly bugs: unknown[] = [];
  private readonly scheduler: Scheduler;
  private readonly ingest: Owner = { isStopped: false, isDead: false };
  private readonly tasks: TaskName[];
  private readonly assignment = new Map<string, SimProcess>();
  private processes: SimProcess[] = [];
  private started = 0;
  private isPublished = false;
  private isChaos: boolean;

  constructor(private readonly options: WorldOptions) {
    const { seed, partitions, inputs, isCalm = false } = options;
    this.scheduler = new Scheduler(seed);
    this.broker = new SimBroker(this.scheduler, partitions);
    this.isChaos = !isCalm;
    this.tasks = inputs.flatMap((topic) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
    );
  }

  /** Resolves when everything that was published is worked off. */
  async run(): Promise<void> {
    const uploads = { topic: this.topics.uploads, partition: 0 };
    this.broker.append({ ...uploads, key: GENERATION_KEY, value: JSON.stringify({ generation: 1 }) });
    for (let count = 0; count < PROCESSES; count++) this.startProcess();
    this.rebalance();
    void this.publish();
    await this.scheduler.run(
      () => this.bugs.length > 0 || (!this.isChaos && this.scheduler.oneIn(20) && this.isWorkedOff()),
      () => this.beforeTurn(),
    );
    for (const process of this.processes) this.happened.failures += process.failures;
  }

  private get topics() {
    return pipelineTopics(PREFIX, this.options.pipeline.name);
  }

  private isWorkedOff(): boolean {
    if (!this.isPublished || !this.broker.isCalm) return false;
    return this.tasks.every(({ topic, partition }) => {
      const last = this.broker.committed(topic, partition).at(-1);
      return last === undefined || (this.broker.groupOffsets.get(`${topic}/${partition}`) ?? 0n) > last.offset;
    });
  }

  private beforeTurn(): void {
    const { scheduler } = this;
    if (scheduler.steps > CALM_STEPS_MAX) throw new Error(`not worked off after ${CALM_STEPS_MAX} turns`);
    if (scheduler.oneIn(EVENT_EVERY)) this.broker.expire();
    if (!this.isChaos) return;
    if (scheduler.steps >= CHAOS_STEPS) this.calmDown();
    else if (scheduler.oneIn(EVENT_EVERY)) this.makeTrouble();
  }

  private calmDown(): void {
    this.isChaos = false;
    for (const process of this.processes) process.isStopped = false;
    while (this.processes.length < PROCESSES) this.startProcess();
    this.rebalance();
  }

  private makeTrouble(): void {
    const { scheduler, processes, happened } = this;
    const one = processes[scheduler.random.below(processes.length)];
    const trouble = scheduler.random.pick(['kill', 'stop', 'continue', 'continue', 'join', 'rebalance', 'rebalance']);
    if (trouble === 'rebalance') this.rebalance();
    if (trouble === 'join' && processes.length < PROCESSES) this.startProcess();
    if (one === undefined) return;
    if (trouble === 'continue') one.isStopped = false;
    if (trouble === 'stop' && !one.isStopped) {
      happened.stops++;
      one.isStopped = true;
    }
    if (trouble === 'kill') {
      happened.kills++;
      happened.failures += one.failures;
      one.isDead = true;
      this.processes = processes.filter((process) => process !== one);
    }
  }

  private startProcess(): void {
    const { openTask, isOffsetRecord, mutant = null } = this.options;
    const process = new SimProcess(`process-${++this.started}`, {
      scheduler: this.scheduler,
      broker: this.broker,
      lossEvery: () => (this.isChaos ? LOSS_EVERY : Number.POSITIVE_INFINITY),
      mutant,
      isOffsetRecord,
      openTask,
      assigned: (asking) => this.tasks.filter((task) => this.assignment.get(nameOf(task)) === asking),
      rebalances: () => this.happened.rebalances,
      onBug: (error) => void this.bugs.push(error),
    });
    this.processes.push(process);
  }

  /** A stopped process has lost its session: the others get its tasks, and it does not know. */
  private rebalance(): void {
    const members = this.processes.filter(({ isStopped }) => !isStopped);
    this.happened.rebalances++;
    this.assignment.clear();
    if (members.length === 0) return;
    for (const task of this.tasks) this.assignment.set(nameOf(task), this.scheduler.random.pick(members));
  }

  /** As ingest does: rows in transactions, some aborted and sent again, and each upload's end in every partition. */
  private async publish(): Promise<void> {
    const { uploads } = this.options;
    const epoch = await this.broker.initProducer(INGEST_ID);
    const send = async (records: OutRecord[], how: 'committing' | 'aborting'): Promise<void> => {
      await this.scheduler.turn(this.ingest);
      await this.broker.produce(INGEST_ID, epoch, records);
      await this.scheduler.turn(this.ingest);
      this.broker.endTransaction(INGEST_ID, epoch, how);
    };
    for (const [at, rows] of uploads.entries()) {
      const records = this.recordsOf(`u${at}`, rows);
      while (records.length > 0) {
        const some = records.slice(0, this.scheduler.random.between(1, 15));
        if (this.isChaos && this.scheduler.oneIn(4)) await send(some, 'aborting');
        await send(records.splice(0, some.length), 'committing');
      }
      await send(this.endsOf(`u${at}`, at + 1, rows), 'committing');
    }
    this.isPublished = true;
  }

  private recordsOf(upload: string, rows: readonly SimRow[]): OutRecord[] {
    return rows.map(({ city, shop, timeMs, amount }, row) => {
      const value = { city, shop, at: '', amount: String(amount), _upload: upload, _row: row + 1, _time: timeMs };
      return { topic: this.topics.rows, partition: this.partitionOf(city), key: city, value: JSON.stringify(value) };
    });
  }

  private partitionOf(city: string): number {
    return partitionForKey(city, this.options.partitions);
  }

  private endsOf(upload: string, sequence: number, rows: readonly SimRow[]): OutRecord[] {
    const streamTime = rows.length === 0 ? null : Math.max(...rows.map(({ timeMs }) => timeMs));
    return Array.from({ length: this.options.partitions }, (_, partition) => {
      const rowsInPartition = rows.filter(({ city }) => this.partitionOf(city) === partition).length;
      const end = { upload, row: rows.length, streamTime, rowsInPartition, rowsTotal: rows.length, sequence };
      return { topic: this.topics.rows, partition, ...encodeControl({ kind: 'end-of-upload', ...end }) };
    });
  }
}
