// One owned partition with a task and a group made of plain functions: the order of things, and what ends what.
import { OwnedPartition, type Ownership } from './owned-partition.js';
import { KafkaError } from './errors.js';
import type { PartitionTask, TaskBatch, TaskContext, TaskEvent } from './partition-task.js';
import type { KafkaRecord } from './records.js';
import { sleep } from './sleep.js';

const record = (offset: bigint): KafkaRecord => ({
  topic: 't',
  partition: 7,
  offset,
  timestampMs: 0,
  key: null,
  value: null,
  headers: {},
});
const batchOf = (next: bigint, ...offsets: bigint[]): TaskBatch => ({
  records: offsets.map(record),
  next,
  highWatermark: 100n,
});

/** A world whose calls are written down in `calls`; `confirm` is the group's next heartbeat. */
function openWorld(task: Partial<PartitionTask> = {}, options: Partial<Ownership> = {}) {
  const calls: string[] = [];
  const fatal: Error[] = [];
  const events: TaskEvent[] = [];
  let confirm = (): void => undefined;
  const owner: Ownership = {
    topic: 't',
    acquireGiveUpMs: 60_000,
    openTask: () => ({
      acquire: async () => {
        calls.push('acquire');
        return 10n;
      },
      process: async ({ records }) => {
        calls.push(`process ${records.map(({ offset }) => offset).join(' ')}`);
      },
      drop: () => {
        calls.push('drop');
      },
      ...task,
    }),
    pause: () => void calls.push('pause'),
    resumeAt: (_partition, next) => void calls.push(`resume ${next}`),
    confirmed: (signal) =>
      new Promise((resolve) => {
        calls.push('wait for the group');
        confirm = resolve;
        signal.addEventListener('abort', () => resolve());
      }),
    assertInputThere: () => Promise.resolve(),
    commitOffset: async (_partition, next) => void calls.push(`commit ${next}`),
    onFatal: (error) => void fatal.push(error),
    onEvent: (event) => void events.push(event),
    ...options,
  };
  const owned = new OwnedPartition(7, owner);
  owned.start(Promise.resolve());
  return { owned, calls, fatal, events, confirm: () => confirm() };
}

/** Lets everything that can happen without a timer happen, and the retry's first wait pass. */
const settle = (): Promise<void> => sleep(130);

describe('an owned partition', () => {
  it('acquires, hands on what is at or above its position, and is behind the batch then', async () => {
    const { owned, calls } = openWorld();
    await owned.idle();
    expect(await owned.process(batchOf(14n, 8n, 9n, 10n, 12n))).toBe(true);
    expect(calls).toEqual(['acquire', 'resume 10', 'process 10 12']);
    expect(owned.status()).toEqual({ partition: 7, state: 'ready', next: 14n, highWatermark: 100n });
  });

  it('passes a batch that is all below its position without waking the task', async () => {
    const { owned, calls } = openWorld();
    await owned.idle();
    expect(await owned.process(batchOf(10n, 8n, 9n))).toBe(true);
    expect(calls).toEqual(['acquire', 'resume 10']);
    expect(owned.next).toBe(10n);
  });

  it('after a failure drops, and acquires only when the group has confirmed it since', async () => {
    let isBroken = true;
    const world = openWorld({
      process: async () => {
        if (isBroken) throw new Error('broken');
      },
    });
    await world.owned.idle();
    expect(await world.owned.process(batchOf(11n, 10n))).toBe(false);
    await settle();
    expect(world.calls).toEqual(['acquire', 'resume 10', 'pause', 'drop', 'wait for the group']);
    expect(world.owned.status()).toMatchObject({ state: 'acquiring', next: 10n, error: 'broken' });
    isBroken = false;
    world.confirm();
    await world.owned.idle();
    expect(world.calls.slice(5)).toEqual(['acquire', 'resume 10']);
    expect(await world.owned.process(batchOf(11n, 10n))).toBe(true);
    expect(world.owned.status()).not.toHaveProperty('error');
  });

  it('ends the hold of a failed or lost task: its context owns nothing and commits nothing', async () => {
    let context: TaskContext | undefined;
    const { owned, calls } = openWorld({
      process: async (_batch, ctx) => {
        context = ctx;
        await ctx.commitOffset(11n);
      },
    });
    await owned.idle();
    await owned.process(batchOf(11n, 10n));
    context?.assertOwned();
    const lost = owned.lose();
    expect(context?.signal.aborted).toBe(true);
    expect(() => context?.assertOwned()).toThrow(expect.objectContaining({ code: 'task_lost' }));
    await expect(context?.commitOffset(12n)).rejects.toMatchObject({ code: 'task_lost' });
    await lost;
    expect(calls).toEqual(['acquire', 'resume 10', 'commit 11', 'drop']);
    expect(await owned.process(batchOf(12n, 11n))).toBe(false);
  });

  it('is dropped only after what runs has ended, and is not acquired again then', async () => {
    const work = Promise.withResolvers<void>();
    const world = openWorld({ process: () => work.promise });
    await world.owned.idle();
    const processed = world.owned.process(batchOf(11n, 10n));
    await sleep(1);
    const lost = world.owned.lose();
    await settle();
    expect(world.calls).toEqual(['acquire', 'resume 10']);
    work.reject(new Error('lost in the middle'));
    expect(await processed).toBe(false);
    await lost;
    await settle();
    expect(world.calls).toEqual(['acquire', 'resume 10', 'drop']);
    expect(world.events.map(({ kind }) => kind)).toEqual(['ready']);
  });

  it('begins only after its earlier life in this process has ended', async () => {
    const earlier = Promise.withResolvers<void>();
    const calls: string[] = [];
    const owned = new OwnedPartition(7, {
      openTask: () => ({
        acquire: async () => {
          calls.push('acquire');
          return 0n;
        },
      }),
      assertInputThere: () => Promise.resolve(),
      resumeAt: () => undefined,
      onEvent: () => undefined,
    } as unknown as Ownership);
    owned.start(earlier.promise);
    await settle();
    expect(calls).toEqual([]);
    earlier.resolve();
    await owned.idle();
    expect(calls).toEqual(['acquire']);
  });

  it('halts on an error that says so, and does nothing more', async () => {
    const halt = new KafkaError('input_lost', 'gone', { retriable: false, halt: true });
    const world = openWorld({ process: () => Promise.reject(halt) });
    await world.owned.idle();
    await world.owned.process(batchOf(11n, 10n));
    await settle();
    expect(world.owned.status()).toMatchObject({ state: 'halted', error: 'gone' });
    expect(world.calls).toEqual(['acquire', 'resume 10', 'pause', 'drop']);
    expect(world.fatal).toEqual([]);
  });

  it.each([
    ['ends the process', new KafkaError('x', 'y', { retriable: false }), 1],
    ['ends the process (not ours)', Object.assign(new Error('app'), { retriable: false }), 1],
    [
      'is tried again when fenced',
      Object.assign(new Error('f'), { type: 'INVALID_PRODUCER_EPOCH', retriable: false }),
      0,
    ],
    ['is tried again', new Error('anything'), 0],
  ])('%s', async (_what, error, fatals) => {
    const world = openWorld({ process: () => Promise.reject(error) });
    await world.owned.idle();
    await world.owned.process(batchOf(11n, 10n));
    await settle();
    expect(world.fatal).toEqual(fatals === 1 ? [error] : []);
    expect(world.calls.includes('wait for the group')).toBe(fatals === 0);
    await world.owned.lose();
  });

  it('gives up when it only fails, however well it is acquired in between', async () => {
    const world = openWorld(
      { process: () => Promise.reject(new Error('poison')) },
      { acquireGiveUpMs: 300, confirmed: () => Promise.resolve() },
    );
    await world.owned.idle();
    while (world.fatal.length === 0) {
      await world.owned.process(batchOf(11n, 10n));
      await sleep(20);
    }
    expect(world.fatal[0]).toMatchObject({
      code: 'task_gave_up',
      retriable: false,
      message: expect.stringContaining('poison'),
    });
  });

  it('never ticks beside process, and fails as process does', async () => {
    const work = Promise.withResolvers<void>();
    let ticks = 0;
    const world = openWorld({
      process: () => work.promise,
      tick: () => (ticks++ === 0 ? Promise.resolve() : Promise.reject(new Error('tick failed'))),
    });
    await world.owned.idle();
    await world.owned.tick();
    const processed = world.owned.process(batchOf(11n, 10n));
    await sleep(1);
    await world.owned.tick();
    expect(ticks).toBe(1);
    work.resolve();
    await processed;
    await world.owned.tick();
    expect(world.events.at(-1)).toMatchObject({ kind: 'failed', during: 'tick' });
    await world.owned.lose();
  });

  it('moves over markers, forward only, and tells its progress', async () => {
    const world = openWorld({
      process: async (_batch, ctx) => {
        ctx.advance(16n);
        expect(world.owned.next).toBe(16n);
      },
    });
    await world.owned.idle();
    world.owned.skipTo(15n, 20n);
    world.owned.skipTo(12n, 21n);
    expect(world.owned.status()).toMatchObject({ next: 15n, highWatermark: 21n });
    expect(await world.owned.process(batchOf(18n, 15n, 16n))).toBe(true);
    expect(world.owned.next).toBe(18n);
  });
});
