// Kafka or Redis away when a file comes: what the sender is told, and that nothing is half kept. Both are the spec's own.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka } from '../../scripts/native-kafka.mjs';
import { startRedis } from '../../scripts/native-redis.mjs';
import { freePort } from '../../scripts/ports.mjs';
import { company, fileOf } from '../harness/companies.js';
import { RawUpload } from '../harness/raw-request.js';
import { Stack, until, type Service } from '../harness/stack.js';

const REDIS_CHECK_DELAY_MS = 1_000;

describe('outages at the front door', () => {
  let dir: string;
  let kafka: Awaited<ReturnType<typeof startKafka>>;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let stack: Stack;
  let ingest: Service;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-outages-'));
    const [port, controllerPort, redisPort] = [await freePort(), await freePort(), await freePort()];
    const say = () => undefined;
    kafka = await startKafka({ stateDir: join(dir, 'kafka'), port, controllerPort, say, logFile: undefined });
    redis = await startRedis({ stateDir: join(dir, 'redis'), port: redisPort, say, logFile: undefined });
    stack = await Stack.start({
      kafkaBrokers: kafka.brokers,
      redisUrl: redis.url,
      env: { CAUDAL_REDIS_CHECK_DELAY_MS: String(REDIS_CHECK_DELAY_MS) },
    });
    ingest = stack.service('ingest');
  }, 180_000);
  afterAll(async () => {
    await stack?.stop().catch(() => {
      // A test that failed while Kafka was away: what is left open would keep Jest from ending.
      stack.redis.disconnect();
      return stack.client.close();
    });
    await kafka?.stop();
    await redis?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 120_000);

  const items = async () => ((await stack.request('/v1/runs')).body as unknown as { items: object[] }).items;

  it('Redis away: 202 at once, then the run fails after three tries and the file is not known', async () => {
    await redis.kill();
    const file = fileOf([company(1, 'sem redis')]);
    const accepted = await stack.upload(file, { query: '' });
    expect(accepted.status).toBe(202);
    expect(accepted.body.state).not.toBe('failed');
    const { body: run } = await stack.ended(accepted.body.id!);
    expect(run).toMatchObject({
      state: 'failed',
      error: { code: 'redis_away', retriable: true },
      rows: { read: 1, published: 0 },
    });
    expect(run.steps!.find((step) => step.name === 'check_redis')).toMatchObject({ state: 'failed', attempt: 3 });
    const waited = await stack.upload(fileOf([company(2, 'sem redis')]), { query: 'wait=60' });
    expect([waited.status, waited.body]).toEqual([503, expect.objectContaining({ code: 'redis_away' })]);
    expect(waited.headers.get('retry-after')).not.toBeNull();
    const ready = await stack.request('/health/ready');
    expect([ready.status, ready.body]).toEqual([503, expect.objectContaining({ reasons: ['redis_away'] })]);
    expect(await stack.rows()).toEqual([]);
    await redis.restart();
    await ingest.ready();
    const later = await stack.upload(file);
    expect(later.body).toMatchObject({ state: 'completed', duplicate: false, rows: { published: 1 } });
    expect(later.body.id).not.toBe(accepted.body.id);
  }, 90_000);

  it('Redis back between two tries: the run goes on by itself', async () => {
    await redis.kill();
    const accepted = await stack.upload(fileOf([company(3, 'volta')]), { query: '' });
    expect(accepted.status).toBe(202);
    await redis.restart();
    expect((await stack.ended(accepted.body.id!)).body).toMatchObject({ state: 'completed' });
    expect(await stack.hash('volta')).toMatchObject({ quantidade_empresas: '1' });
  }, 90_000);

  it('Kafka away: 503 with Retry-After, nothing kept; the same file goes through when it is back', async () => {
    const before = await items();
    const spooled = async () => (await readdir(join(stack.stateDir, 'spool'))).length;
    // Of the run that failed for good the body is kept: it can be retried.
    const kept = await spooled();
    // One body is arriving when Kafka goes: its run is recorded already.
    const [begin, rest] = ['cnpj,data_abertura,cidade,estado,', `capital_social\n${company(5, 'no meio')}\n`];
    const arriving = new RawUpload(`${stack.url}/v1/pipelines/empresas/uploads`, {
      'content-length': begin.length + rest.length,
    });
    await arriving.write(begin);
    await until('its spool', async () => (await spooled()) > kept);
    await kafka.kill();
    const file = fileOf([company(4, 'sem kafka')]);
    for (let attempt = 1; attempt <= 2; attempt++) {
      const answer = await stack.upload(file);
      expect([answer.status, answer.body]).toEqual([503, expect.objectContaining({ code: 'kafka_away' })]);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(await items()).toEqual(before);
    await arriving.write(rest);
    arriving.end();
    const told = await arriving.answer;
    const problem = JSON.parse(told.text) as { code: string; run: string };
    expect([told.status, problem.code]).toEqual([503, 'kafka_away']);
    const ready = await stack.request('/health/ready');
    expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('kafka_away')]);
    expect((await stack.request('/health/live')).status).toBe(200);
    await kafka.restart();
    await until('ingest to be ready again', async () => (await stack.request('/health/ready')).status === 200, 90_000);
    const answer = await stack.upload(file);
    expect(answer.body).toMatchObject({ state: 'completed', duplicate: false, rows: { published: 1 } });
    // The one that had arrived whole goes on by itself.
    expect((await stack.ended(problem.run)).body).toMatchObject({ state: 'completed', rows: { published: 1 } });
    expect(await items()).toHaveLength(before.length + 2);
  }, 180_000);
});
