// The runner against a consumer that only writes down what it is told: what must be paused, sought and resumed at every
// join, because kafkajs resets all positions at a join and forgets all pauses at a restart.
import type { KafkaClient } from './client.js';
import type { PartitionTask, TaskEvent } from './partition-task.js';
import { PartitionTaskRunner } from './partition-tasks.js';
import { sleep } from './sleep.js';

const names = ['HEARTBEAT', 'GROUP_JOIN', 'START_BATCH_PROCESS', 'CRASH', 'STOP'] as const;

/** One runner in a group whose joins the test makes; `calls` is what the consumer was told since the last look. */
async function openWorld(openTask: (partition: number) => Partial<PartitionTask>) {
  let calls: string[] = [];
  const events: TaskEvent[] = [];
  const listeners = new Map<string, (event: { payload: object }) => void>();
  const consumer = {
    events: Object.fromEntries(names.map((name) => [name, name])),
    on: (name: string, listener: (event: { payload: object }) => void) => void listeners.set(name, listener),
    connect: async () => {},
    subscribe: async () => {},
    run: async () => {},
    disconnect: async () => {},
    pause: ([{ partitions }]: [{ partitions: number[] }]) => void calls.push(`pause ${partitions.join()}`),
    seek: ({ partition, offset }: { partition: number; offset: string }) =>
      void calls.push(`seek ${partition} to ${offset}`),
    resume: ([{ partitions }]: [{ partitions: number[] }]) => void calls.push(`resume ${partitions.join()}`),
  };
  const client = {
    openConsumer: () => consumer,
    offsets: async () => [0, 1, 2].map((partition) => ({ partition, start: 0n, end: 100n })),
  } as unknown as KafkaClient;
  const quiet = (): void => undefined;
  const runner = new PartitionTaskRunner({
    client,
    groupId: 'g',
    topic: 't',
    openTask: (partition) => ({
      acquire: async () => BigInt(10 + partition),
      process: async () => {},
      drop: () => undefined,
      ...openTask(partition),
    }),
    onFatal: quiet,
    onEvent: (event) => void events.push(event),
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
  await runner.start();
  const tell = (name: string, payload: object) => listeners.get(name)!({ payload });
  return {
    runner,
    events,
    tell,
    /** What a join with these partitions tells the consumer at once, before kafkajs fetches again. */
    join: (partitions: number[], memberId = 'm') => {
      calls = [];
      tell('GROUP_JOIN', { memberId, memberAssignment: { t: partitions } });
      return calls;
    },
    settle: async () => {
      calls = [];
      await sleep(5);
      return calls;
    },
  };
}

describe('at every join', () => {
  it('a new partition is paused until its task is acquired, then sought and resumed', async () => {
    const world = await openWorld(() => ({}));
    expect(world.join([0, 1])).toEqual(['pause 0', 'pause 1']);
    expect(await world.settle()).toEqual(['seek 0 to 10', 'resume 0', 'seek 1 to 11', 'resume 1']);
    await world.runner.stop();
  });

  it('a kept one goes on at its own position, one that is still restoring stays paused, a halted one gets a chance', async () => {
    const gate = Promise.withResolvers<bigint>();
    const halt = Object.assign(new Error('look at me'), { halt: true });
    let halts = 1;
    const tasks: Partial<PartitionTask>[] = [
      {},
      { acquire: () => gate.promise },
      { acquire: async () => (halts-- > 0 ? Promise.reject(halt) : 12n) },
    ];
    const world = await openWorld((partition) => tasks[partition]!);
    world.join([0, 1, 2]);
    await world.settle();
    expect(world.runner.status().map(({ state }) => state)).toEqual(['ready', 'acquiring', 'halted']);
    expect(world.join([0, 1, 2])).toEqual(['seek 0 to 10', 'resume 0', 'pause 1', 'pause 2', 'pause 2']);
    expect(await world.settle()).toEqual(['seek 2 to 12', 'resume 2']);
    gate.resolve(11n);
    expect(await world.settle()).toEqual(['seek 1 to 11', 'resume 1']);
    await world.runner.stop();
  });

  it('a lost one is told nothing any more, also when its restore ends later', async () => {
    const gate = Promise.withResolvers<bigint>();
    const world = await openWorld((partition) => (partition === 1 ? { acquire: () => gate.promise } : {}));
    world.join([0, 1]);
    await world.settle();
    expect(world.join([0])).toEqual(['seek 0 to 10', 'resume 0']);
    gate.resolve(11n);
    expect(await world.settle()).toEqual([]);
    await world.runner.stop();
  });

  it.each(['a restart of the consumer', 'a new member id'])(
    'after %s every partition is acquired anew',
    async (what) => {
      const world = await openWorld(() => ({}));
      world.join([0]);
      await world.settle();
      if (what !== 'a new member id') world.tell('CRASH', { error: new Error('away'), restart: true });
      expect(world.join([0], what === 'a new member id' ? 'other' : 'm')).toEqual(['pause 0']);
      expect(await world.settle()).toEqual(['seek 0 to 10', 'resume 0']);
      expect(world.events.map(({ kind }) => kind).filter((kind) => kind === 'ready')).toHaveLength(2);
      await world.runner.stop();
    },
  );
});
