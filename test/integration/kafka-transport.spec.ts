// The Nest transport on a real broker: a controller handles batches, and what it throws arrives as it was thrown.
import 'reflect-metadata';
import { Controller, Module, UseFilters } from '@nestjs/common';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { of } from 'rxjs';
import {
  KafkaBatchContext,
  KafkaBatchServer,
  KafkaError,
  RethrowFilter,
  TASK_PATTERNS,
  type TaskBatchMessage,
  type TaskMessage,
} from '#kafka';
import { quietLogger, SpecTopics, until } from './kafka-topics.js';

const topics = new SpecTopics();
const { client, prefix } = topics;

const seen: string[] = [];
const dropped: TaskMessage[] = [];
const ticked = new Set<string>();
const failure = new KafkaError('handler_failed', 'this very error', { retriable: false });

/** The word that makes a handler throw. */
const POISON = 'poison';

// Named classes, not one decorated twice: swc keeps the parameter types that Nest reads.
@Controller()
@UseFilters(RethrowFilter)
class CopyController {
  @MessagePattern(TASK_PATTERNS.acquire)
  acquire(@Payload() { group }: TaskMessage, @Ctx() ctx: KafkaBatchContext): Promise<bigint> {
    ctx.getContext().assertOwned();
    return Promise.resolve(group === 'late' ? 1n : 0n);
  }

  @MessagePattern(TASK_PATTERNS.process)
  process(@Payload() { group, batch }: TaskBatchMessage) {
    for (const { value } of batch.records) {
      if (String(value) === POISON) throw failure;
      seen.push(`${group}:${String(value)}`);
    }
    return of('an Observable is unwrapped too');
  }

  @EventPattern(TASK_PATTERNS.drop)
  drop(@Payload() message: TaskMessage): void {
    dropped.push(message);
  }

  @MessagePattern(TASK_PATTERNS.tick)
  tick(@Payload() { group }: TaskMessage): void {
    ticked.add(group);
  }
}
@Module({ controllers: [CopyController] })
class CopyModule {}

@Controller()
class SwallowingController {
  @MessagePattern(TASK_PATTERNS.acquire)
  acquire(): bigint {
    throw failure;
  }

  @MessagePattern(TASK_PATTERNS.process)
  process(): string {
    return 'done';
  }

  @EventPattern(TASK_PATTERNS.drop)
  drop(_message: TaskMessage): void {}
}
@Module({ controllers: [SwallowingController] })
class SwallowingModule {}

@Module({})
class EmptyModule {}

interface Opened {
  app: INestMicroservice;
  server: KafkaBatchServer;
  fatal: Error[];
}

async function open(module: object, groups: { name: string; topic: string }[]): Promise<Opened> {
  const fatal: Error[] = [];
  const server = new KafkaBatchServer({
    client,
    groups: groups.map(({ name, topic }) => ({
      name,
      topic,
      groupId: `${prefix}.${name}.${topic}`,
      tickMs: 20,
      sessionTimeoutMs: 6000,
      heartbeatIntervalMs: 300,
    })),
    logger: quietLogger,
    onFatal: (error) => void fatal.push(error),
  });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy: server, logger: false });
  return { app, server, fatal };
}

async function write(topic: string, ...values: string[]): Promise<void> {
  const producer = await client.openProducer();
  await producer.send(values.map((value) => ({ topic, partition: 0, key: null, value })));
  await producer.close();
}

const statesOf = ({ server }: Opened): string[] =>
  server.groupStatus().flatMap(({ tasks }) => tasks.map(({ state }) => state));

afterAll(() => topics.close());

describe('KafkaBatchServer', () => {
  it('runs every group through one controller, and gives errors back unchanged', async () => {
    const [one, late] = await Promise.all([topics.make('one'), topics.make('late')]);
    await Promise.all([write(one, 'a', 'b'), write(late, 'skipped', 'c')]);
    const opened = await open(CopyModule, [
      { name: 'one', topic: one },
      { name: 'late', topic: late },
    ]);
    await opened.app.listen();
    await until('both groups are handled', () => seen.length >= 3);
    expect(seen.sort()).toEqual(['late:c', 'one:a', 'one:b']);
    await until('both tick', () => ticked.size === 2);
    expect(opened.server.groupStatus()).toMatchObject([
      { group: 'one', joined: true, tasks: [{ partition: 0, state: 'ready', next: 2n, highWatermark: 2n }] },
      { group: 'late', joined: true, tasks: [{ partition: 0, state: 'ready', next: 2n }] },
    ]);
    expect(opened.server.unwrap<Map<string, unknown>>().size).toBe(2);
    expect(dropped).toEqual([]);
    await write(one, POISON);
    await until('the process is told to end', () => opened.fatal.length > 0);
    expect(opened.fatal[0]).toBe(failure);
    await opened.app.close();
    expect(statesOf(opened)).toEqual([]);
    expect(dropped).toContainEqual({ group: 'one', partition: 0 });
    expect(dropped).toContainEqual({ group: 'late', partition: 0 });
  });

  it('says what to do when the controller hides its errors', async () => {
    const opened = await open(SwallowingModule, [{ name: 'swallowed', topic: await topics.make('swallowed') }]);
    await opened.app.listen();
    await until('the process is told to end', () => opened.fatal.length > 0);
    expect(opened.fatal[0]).toMatchObject({
      code: 'error_swallowed',
      message: expect.stringContaining('RethrowFilter'),
    });
    await opened.app.close();
  });

  it('does not start without handlers, and names them', async () => {
    const opened = await open(EmptyModule, [{ name: 'empty', topic: await topics.make('empty') }]);
    await expect(opened.app.listen()).rejects.toMatchObject({
      code: 'handler_missing',
      message: expect.stringContaining('task.acquire, task.process, task.drop'),
    });
    await opened.app.close();
  });

  it('does not start when a topic is missing', async () => {
    const opened = await open(CopyModule, [{ name: 'none', topic: `${prefix}.none` }]);
    await expect(opened.app.listen()).rejects.toMatchObject({ code: 'unknown_topic_or_partition' });
    await opened.app.close();
  });

  it('has no events of its own', async () => {
    const { server } = await open(CopyModule, []);
    expect(() => server.on()).toThrow(/onEvent/);
  });
});
