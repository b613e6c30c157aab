// Kafka and Redis that die, come back, or come back empty, under services that are never touched: they go on by
// themselves. Both are this file's own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Oracle, startAudited } from '../harness/oracle.js';
import { startScript } from '../harness/start-script.js';
import { freePort, type Stack, until } from '../harness/stack.js';
import { faultCase, Uploads } from './fault-case.js';

interface Store {
  stop(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
}
type Start<Options, Started> = (options: Options & { stateDir: string; port: number }) => Promise<Started & Store>;

let dir: string;
let kafka: Store & { brokers: string };
let redis: Store & { url: string };
let stack: Stack;
let oracle: Oracle;
let uploads: Uploads;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'caudal-stores-'));
  const { startKafka } = await startScript<{ startKafka: Start<{ controllerPort: number }, { brokers: string }> }>(
    'native-kafka.mjs',
  );
  const { startRedis } = await startScript<{ startRedis: Start<object, { url: string }> }>('native-redis.mjs');
  redis = await startRedis({ stateDir: join(dir, 'redis'), port: await freePort() });
  const controllerPort = await freePort();
  kafka = await startKafka({ stateDir: join(dir, 'kafka'), port: await freePort(), controllerPort });
  stack = await startAudited({ kafkaBrokers: kafka.brokers, redisUrl: redis.url });
  oracle = new Oracle(stack);
  uploads = new Uploads(stack, oracle);
}, 240_000);
afterAll(async () => {
  await stack?.stop();
  await kafka?.stop();
  await redis?.stop();
  await rm(dir, { recursive: true, force: true });
}, 60_000);

async function send(seed: number, rows: number): Promise<string> {
  return uploads.send(uploads.make({ seed, rows }));
}

/** Sends a file and waits until Redis has some of it, and not all. */
async function sendUntilWriting(seed: number, rows: number): Promise<string> {
  const run = await send(seed, rows);
  const busiest = 'total:Cidade 0';
  await until('the writer to write', async () => (await stack.redis.hgetall(busiest))._upload === run, 60_000);
  return run;
}

/** Without it the fault came too late to be one. */
async function expectUnderWay(run: string): Promise<void> {
  expect((await stack.request(`/v1/runs/${run}`)).body.state).not.toBe('completed');
}

/** Ends the case: all is exact, and no service has been started anew. */
async function expectExact(pids: readonly number[]): Promise<void> {
  await uploads.ended();
  expect(await oracle.check()).toEqual([]);
  expect(stack.services.map(({ pid, running }) => ({ pid, running }))).toEqual(
    pids.map((pid) => ({ pid, running: true })),
  );
}

const pids = (): number[] => stack.services.map((service) => service.pid);

describe('Redis', () => {
  faultCase('emptied while the writer is idle is filled again without new input', async ({ random }) => {
    await send(random.below(2 ** 31), 20_000);
    await expectExact(pids());
    await stack.redis.flushdb();
    expect((await oracle.redisProblems()).length).toBeGreaterThan(0);
    expect(await oracle.redisComes(30_000)).toEqual([]);
  });

  faultCase('emptied while the writer writes is filled again', async ({ random }) => {
    const run = await sendUntilWriting(random.below(2 ** 31), 60_000);
    await stack.redis.flushdb();
    await expectUnderWay(run);
    oracle.uncount(run);
    await uploads.ended();
    expect(await oracle.redisComes(30_000)).toEqual([]);
    await expectExact(pids());
  });

  faultCase('killed and restarted while the writer writes: every record is counted once', async ({ random }) => {
    const before = pids();
    const run = await sendUntilWriting(random.below(2 ** 31), 60_000);
    await redis.kill();
    await expectUnderWay(run);
    await redis.restart();
    await expectExact(before);
  });
});

describe('Kafka', () => {
  faultCase('killed and restarted while rows flow: the services go on by themselves', async ({ random }) => {
    const before = pids();
    const run = await sendUntilWriting(random.below(2 ** 31), 100_000);
    await kafka.kill();
    await expectUnderWay(run);
    await kafka.restart();
    await expectExact(before);
  });
});
