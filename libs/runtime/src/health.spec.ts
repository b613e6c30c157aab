import 'reflect-metadata';
import { jest } from '@jest/globals';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { healthModule } from './health.js';
import { WriterMetrics } from './metrics.js';

let app: NestFastifyApplication;
let ready: () => Promise<string[]> = async () => [];
const metrics = new WriterMetrics();

beforeAll(async () => {
  const options = { ready: () => ready(), metrics: () => metrics.text(), contentType: metrics.contentType };
  const module = await Test.createTestingModule({ imports: [healthModule(options)] }).compile();
  app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});
afterAll(() => app.close());

const get = (url: string) => app.inject({ method: 'GET', url });

describe('health', () => {
  it('live answers whatever else is the matter', async () => {
    ready = async () => ['kafka_away'];
    const answer = await get('/health/live');
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('ready answers 200, or 503 with the reasons', async () => {
    ready = async () => [];
    const good = await get('/health/ready');
    expect([good.statusCode, good.json()]).toEqual([200, { status: 'ok' }]);
    ready = async () => ['kafka_away', 'redis_away'];
    const bad = await get('/health/ready');
    expect([bad.statusCode, bad.json()]).toEqual([
      503,
      { status: 'unavailable', reasons: ['kafka_away', 'redis_away'] },
    ]);
  });

  it('takes a probe that fails for a reason, without its message', async () => {
    ready = () => Promise.reject(new Error('secret'));
    const answer = await get('/health/ready');
    expect([answer.statusCode, answer.json()]).toEqual([503, { status: 'unavailable', reasons: ['probe_failed'] }]);
  });

  it('takes a probe that hangs for a reason after two seconds', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    ready = () => {
      asked();
      return new Promise(() => undefined);
    };
    const answering = get('/health/ready');
    await isAsked;
    await jest.advanceTimersByTimeAsync(2_000);
    jest.useRealTimers();
    const answer = await answering;
    expect([answer.statusCode, answer.json()]).toEqual([503, { status: 'unavailable', reasons: ['probe_timed_out'] }]);
  });

  it('gives the page of metrics as Prometheus wants it', async () => {
    const answer = await get('/metrics');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe(metrics.contentType);
    expect(answer.body).toContain('# TYPE caudal_features_total counter');
  });
});
