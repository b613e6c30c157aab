// The task runner on a real broker. Each test's timeline stands above it; a task here copies its input partition to an
// output topic in transactions and keeps its position in a changelog, as the aggregator does.
import { KafkaClient, KafkaError, PartitionTaskRunner, type PartitionTask, type TaskEvent } from '#kafka';
import type { TaskBatch, TaskContext, TaskRunnerOptions, TransactionalProducer } from '#kafka';
import { KafkaProxy } from '../harness/kafka-proxy.js';
import { brokers, cutConnections, quietLogger, SpecTopics, until } from './kafka-topics.js';

const topics = new SpecTopics();
const { client, prefix } = topics;
const PARTITIONS = 4;

let proxy: KafkaProxy;
let behindProxy: KafkaClient;

beforeAll(async () => {
  proxy = await KafkaProxy.start(brokers[0]!);
  behindProxy = new KafkaClient({ brokers: [proxy.broker], clientId: 'behind-proxy', requestTimeoutMs: 10_000 });
});
afterAll(async () => {
  await topics.close();
  await behindProxy.close();
  await proxy.stop();
});

interface Names {
  group: string;
  input: string;
  output: string;
  changelog: string;
}

async function makeNames(name: string): Promise<Names> {
  const [input, output, changelog] = await Promise.all([
    topics.make(`${name}.in`, PARTITIONS),
    topics.make(`${name}.out`, PARTITIONS),
    topics.make(`${name}.log`, PARTITIONS),
  ]);
  return { group: `${prefix}.${name}`, input, output, changelog };
}

class CopyTask implements PartitionTask {
  producer: TransactionalProducer | null = null;
  /** Called with every batch before it is copied; a test breaks the task here. */
  constructor(
    private readonly names: Names,
    private readonly from: KafkaClient,
    private readonly onBatch: (batch: TaskBatch, ctx: TaskContext) => Promise<void> | void = () => undefined,
  ) {}

  async acquire({ partition, signal }: TaskContext): Promise<bigint> {
    this.producer = await this.from.openTransactional({ transactionalId: `${this.names.group}.${partition}` });
    let next = 0n;
    await this.from.readPartition({
      topic: this.names.changelog,
      partition,
      signal,
      onRecord: ({ value }) => {
        next = BigInt(String(value));
      },
    });
    return next;
  }

  async process(batch: TaskBatch, ctx: TaskContext): Promise<void> {
    await this.onBatch(batch, ctx);
    if (this.producer === null) throw new Error('not acquired');
    const { partition } = ctx;
    const transaction = await this.producer.begin();
    const copies = batch.records.map(({ value }) => ({ topic: this.names.output, partition, key: null, value }));
    const progress = { topic: this.names.changelog, partition, key: 'next', value: batch.next.toString() };
    await transaction.send([...copies, progress]);
    ctx.assertOwned();
    await transaction.commit();
  }

  async drop(): Promise<void> {
    const { producer } = this;
    this.producer = null;
    await producer?.close();
  }
}

type Opened = { runner: PartitionTaskRunner; events: TaskEvent[]; fatal: Error[] };

async function openRunner(
  names: Names,
  openTask: (partition: number) => PartitionTask,
  options: Partial<TaskRunnerOptions> = {},
): Promise<Opened> {
  const events: TaskEvent[] = [];
  const fatal: Error[] = [];
  const runner = new PartitionTaskRunner({
    client,
    groupId: names.group,
    topic: names.input,
    openTask,
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 300,
    logger: quietLogger,
    onFatal: (error) => void fatal.push(error),
    onEvent: (event) => void events.push(event),
    ...options,
  });
  await runner.start();
  return { runner, events, fatal };
}

const readyIn = ({ runner }: Opened): number => runner.status().filter(({ state }) => state === 'ready').length;
const readyEvents = ({ events }: Opened, partition: number): number =>
  events.filter((event) => event.kind === 'ready' && event.partition === partition).length;

async function write(topic: string, from: number, count: number): Promise<void> {
  const producer = await client.openProducer();
  await producer.send(
    Array.from({ length: count }, (_, index) => {
      const partition = (from + index) % PARTITIONS;
      return { topic, partition, key: null, value: String(from + index) };
    }),
  );
  await producer.close();
}

async function copied(names: Names): Promise<number[]> {
  const lists = await Promise.all([0, 1, 2, 3].map((partition) => topics.values(names.output, partition)));
  return lists.flat().map(Number);
}

async function expectCopiedOnce(names: Names, count: number): Promise<void> {
  await until(`${count} rows are copied`, async () => (await copied(names)).length >= count);
  expect((await copied(names)).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
}

describe('two runners of one group', () => {
  // first owns all -> rows -> second joins: two partitions move, two stay without being acquired anew -> rows ->
  // first stops: its two move to second -> rows. Every row is copied once.
  it('share the partitions, keep what stays, and copy every row once', async () => {
    const names = await makeNames('two');
    const first = await openRunner(names, () => new CopyTask(names, client));
    await until('the first has all', () => readyIn(first) === PARTITIONS);
    await write(names.input, 0, 100);
    await expectCopiedOnce(names, 100);
    const other = topics.anotherClient();
    const second = await openRunner(names, () => new CopyTask(names, other), { client: other });
    await until('both have two', () => readyIn(first) === 2 && readyIn(second) === 2);
    await write(names.input, 100, 100);
    await expectCopiedOnce(names, 200);
    for (const { partition } of first.runner.status()) expect(readyEvents(first, partition)).toBe(1);
    expect(first.runner.joined && second.runner.joined).toBe(true);
    await first.runner.stop();
    expect(first.runner.status()).toEqual([]);
    await until('the second has all', () => readyIn(second) === PARTITIONS);
    await write(names.input, 200, 100);
    await expectCopiedOnce(names, 300);
    await second.runner.stop();
    await other.close();
    expect([...first.fatal, ...second.fatal]).toEqual([]);
  });
});

describe('a failing task', () => {
  // rows -> the task fails after it has sent and before it commits -> acquired again, from the changelog -> copied once
  it('is acquired again once the group has confirmed its member, and loses and doubles nothing', async () => {
    const names = await makeNames('failing');
    let failures = 0;
    const openTask = (): PartitionTask =>
      new CopyTask(names, client, () => {
        if (failures++ < 2) throw new Error('it failed');
      });
    const opened = await openRunner(names, openTask);
    await until('all are ready', () => readyIn(opened) === PARTITIONS);
    await write(names.input, 0, 40);
    await expectCopiedOnce(names, 40);
    const failed = opened.events.filter(({ kind }) => kind === 'failed');
    expect(failed).toHaveLength(2);
    expect(failed[0]).toMatchObject({ during: 'process', error: new Error('it failed') });
    await opened.runner.stop();
    expect(opened.fatal).toEqual([]);
  });

  // another producer with the task's id fences it -> its next transaction fails -> it takes the id back
  it('takes its partition back after it was fenced while it owns it', async () => {
    const names = await makeNames('fenced');
    const opened = await openRunner(names, () => new CopyTask(names, client));
    await until('all are ready', () => readyIn(opened) === PARTITIONS);
    const intruder = await client.openTransactional({ transactionalId: `${names.group}.0` });
    await write(names.input, 0, 40);
    await expectCopiedOnce(names, 40);
    expect(readyEvents(opened, 0)).toBe(2);
    await expect(
      intruder.begin().then((tx) => tx.send([{ topic: names.output, partition: 0, key: null, value: 'no' }])),
    ).rejects.toMatchObject({ code: 'fenced' });
    await Promise.all([intruder.close(), opened.runner.stop()]);
  });

  it('whose error cannot be retried ends the process', async () => {
    const names = await makeNames('fatal');
    const failure = new KafkaError('state_broken', 'broken', { retriable: false });
    const openTask = (): PartitionTask =>
      new CopyTask(names, client, () => {
        throw failure;
      });
    const opened = await openRunner(names, openTask);
    await write(names.input, 0, 8);
    await until('the process is told to end', () => opened.fatal.length > 0);
    expect(opened.fatal[0]).toBe(failure);
    await opened.runner.stop();
    expect(opened.fatal).toHaveLength(1);
    expect(await copied(names)).toEqual([]);
  });

  it('that cannot be acquired for long ends the process', async () => {
    const names = await makeNames('gives-up');
    const task: PartitionTask = {
      acquire: () => Promise.reject(new Error('never')),
      process: () => Promise.resolve(),
      drop: () => undefined,
    };
    const opened = await openRunner(names, () => task, { acquireGiveUpMs: 500 });
    await until('the process is told to end', () => opened.fatal.length > 0);
    expect(opened.fatal[0]).toMatchObject({ code: 'task_gave_up', cause: new Error('never') });
    await opened.runner.stop();
  });
});

describe('a halted task', () => {
  // partition 1 halts -> the others go on -> a second runner joins: the new assignment is its next chance
  it('rests until the next assignment, alone', async () => {
    const names = await makeNames('halted');
    let isBroken = true;
    const openTask = (partition: number): PartitionTask =>
      new CopyTask(names, client, () => {
        if (partition === 1 && isBroken) throw Object.assign(new Error('look at me'), { halt: true });
      });
    const first = await openRunner(names, openTask);
    await until('all are ready', () => readyIn(first) === PARTITIONS);
    await write(names.input, 0, 40);
    await until('the others have copied theirs', async () => (await copied(names)).length === 30);
    const status = await until('it has halted', () => first.runner.status().find(({ state }) => state === 'halted'));
    expect(status).toMatchObject({ partition: 1, error: 'look at me' });
    isBroken = false;
    const second = await openRunner(names, openTask);
    await expectCopiedOnce(names, 40);
    await Promise.all([first.runner.stop(), second.runner.stop()]);
  });

  // all is copied -> the runner stops -> more rows -> retention takes some of partition 2 that nobody has read -> the
  // runner comes back: partition 2 halts and says which offsets, the others go on
  it('is what becomes of a task whose rows were deleted before it read them', async () => {
    const names = await makeNames('head-lost');
    const first = await openRunner(names, () => new CopyTask(names, client));
    await write(names.input, 0, 40);
    await expectCopiedOnce(names, 40);
    await first.runner.stop();
    await write(names.input, 40, 40);
    await topics.deleteHead(names.input, 2, 15n);
    const second = await openRunner(names, () => new CopyTask(names, client));
    const status = await until('it has halted', () => second.runner.status().find(({ state }) => state === 'halted'));
    expect(status).toMatchObject({ partition: 2, error: expect.stringMatching(/\/2: offsets 10 to 14 are gone/) });
    const halted = second.events.find(({ kind }) => kind === 'halted');
    expect(halted).toMatchObject({ error: { code: 'input_lost', halt: true } });
    await until('the others have copied theirs', async () => (await copied(names)).length === 70);
    await second.runner.stop();
    expect(second.fatal).toEqual([]);
  });

  it('is what becomes of a task whose next input is not in the log', async () => {
    const names = await makeNames('input-lost');
    const task: PartitionTask = {
      acquire: () => Promise.resolve(1000n),
      process: () => Promise.resolve(),
      drop: () => undefined,
    };
    const opened = await openRunner(names, () => task);
    const status = await until('it has halted', () => opened.runner.status().find(({ state }) => state === 'halted'));
    expect(status.error).toMatch(/\/0: offsets 0 to 999 are gone/);
    await opened.runner.stop();
    expect(opened.fatal).toEqual([]);
  });
});

describe('the runner', () => {
  // Kafka's answers to a transaction of partition 0 (to its first write) and of partition 1 (to its commit) are held
  // back for longer than the session timeout. Without the heartbeat timer the group would take the partitions away, and
  // the transactions would fail or count for nothing.
  it('keeps its membership while transactions hang for longer than the session timeout', async () => {
    const names = await makeNames('hanging');
    const opened = await openRunner(names, () => new CopyTask(names, behindProxy), { client: behindProxy });
    await until('all are ready', () => readyIn(opened) === PARTITIONS);
    const hanging = new Map([
      [`${names.group}.0`, 'Produce'],
      [`${names.group}.1`, 'EndTxn'],
    ]);
    proxy.rule = ({ name, transactionalId }) =>
      hanging.get(transactionalId ?? '') === name && hanging.delete(transactionalId!)
        ? { kind: 'hold', ms: 7500 }
        : null;
    await write(names.input, 0, 8);
    await expectCopiedOnce(names, 8);
    expect(hanging.size).toBe(0);
    await write(names.input, 8, 8);
    await expectCopiedOnce(names, 16);
    expect(opened.events.filter(({ kind }) => kind === 'joined' || kind === 'failed')).toHaveLength(1);
    await opened.runner.stop();
  });

  it('moves its position over fetches of markers only, and ticks idle tasks', async () => {
    const names = await makeNames('markers');
    let ticks = 0;
    const openTask = (): PartitionTask => {
      let isInProcess = false;
      const task = new CopyTask(names, client, async () => {
        isInProcess = true;
        await new Promise((resolve) => setTimeout(resolve, 50));
        isInProcess = false;
      });
      return Object.assign(task, {
        tick: () => {
          if (isInProcess) throw new KafkaError('tick_beside_process', 'tick beside process', { retriable: false });
          ticks++;
          return Promise.resolve();
        },
      });
    };
    const opened = await openRunner(names, openTask, { tickMs: 10, concurrency: 1 });
    await until('all are ready', () => readyIn(opened) === PARTITIONS);
    const producer = await client.openTransactional({ transactionalId: `${prefix}.markers-writer` });
    for (let round = 0; round < 3; round++) {
      const transaction = await producer.begin();
      await transaction.send([{ topic: names.input, partition: 2, key: null, value: 'aborted' }]);
      await transaction.abort();
    }
    const last = await producer.begin();
    await last.send([{ topic: names.input, partition: 2, key: null, value: '0' }]);
    await last.commit();
    const after = await producer.begin();
    await after.send([{ topic: names.input, partition: 2, key: null, value: 'aborted' }]);
    await after.abort();
    await producer.close();
    const status = () => opened.runner.status().find(({ partition }) => partition === 2);
    await until('the position is behind the last marker', () => status()?.next === 10n);
    expect(status()).toMatchObject({ state: 'ready', highWatermark: 10n });
    await until('tasks have ticked', () => ticks > 3);
    expect(await copied(names)).toEqual([0]);
    await opened.runner.stop();
    expect(opened.fatal).toEqual([]);
  });

  // rows -> all connections are cut in the middle of the work, three times -> every row is copied once
  it('survives the loss of its connections', async () => {
    const names = await makeNames('cut');
    const opened = await openRunner(names, () => new CopyTask(names, client));
    await until('all are ready', () => readyIn(opened) === PARTITIONS);
    for (const round of [0, 1, 2]) {
      await write(names.input, round * 40, 40);
      // Between two lives of a connection there may be none to cut for a moment.
      await until(`connections were cut in round ${round}`, () => cutConnections() > 0);
    }
    await expectCopiedOnce(names, 120);
    await opened.runner.stop();
    expect(opened.fatal).toEqual([]);
  });

  it('commits offsets for tasks that ask for it', async () => {
    const names = await makeNames('commits');
    const task = (): PartitionTask => ({
      acquire: async ({ partition }) => (await client.committedOffsets(names.group, names.input)).get(partition) ?? 0n,
      process: (batch, ctx) => ctx.commitOffset(batch.next),
      drop: () => undefined,
    });
    const opened = await openRunner(names, task);
    await write(names.input, 0, 12);
    await until('the offsets are committed', async () => {
      const offsets = await client.committedOffsets(names.group, names.input);
      return [0, 1, 2, 3].every((partition) => offsets.get(partition) === 3n);
    });
    await opened.runner.stop();
  });

  it('rejects its start when the topic does not exist', async () => {
    const names = { ...(await makeNames('missing')), input: `${prefix}.no-such-topic` };
    const runner = openRunner(names, () => new CopyTask(names, client));
    await expect(runner).rejects.toMatchObject({ code: 'unknown_topic_or_partition' });
  });
});
