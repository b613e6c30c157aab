import 'reflect-metadata';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import pino from 'pino';
import { readConfig } from './config.js';
import { healthModule } from './health.js';
import { httpAdapter, secure } from './http-server.js';
import { WriterMetrics } from './metrics.js';

let app: NestFastifyApplication;
const metrics = new WriterMetrics();

beforeAll(async () => {
  const options = { ready: async () => [], metrics: () => metrics.text(), contentType: metrics.contentType };
  const module = await Test.createTestingModule({ imports: [healthModule(options)] }).compile();
  const config = readConfig('feature-writer', {}, '/');
  app = module.createNestApplication<NestFastifyApplication>(httpAdapter(config));
  await secure(app, config, pino({ enabled: false }));
  await app.listen(0, '127.0.0.1');
});
afterAll(() => app.close());

/** The answer to a request as it is written here; headers may come twice. */
function exchange(path: string, ...headers: string[]): Promise<string> {
  const socket = connect((app.getHttpServer().address() as { port: number }).port, '127.0.0.1');
  socket.write([`GET ${path} HTTP/1.1`, 'Connection: close', ...headers, '', ''].join('\r\n'));
  return text(socket);
}

describe('the door of each service', () => {
  it('answers what it does not have as it answers all errors', async () => {
    const answer = await exchange('/nothing', 'Host: a');
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    expect(answer).toContain('"code":"not_found"');
  });

  it.each(['/%zz', '/health/%ff', '/%'])('answers an address that cannot be decoded likewise: %s', async (path) => {
    const answer = await exchange(path, 'Host: a');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    expect(answer).toContain('"code":"bad_address"');
  });

  it.each(['Host', 'Content-Type'])('refuses a request with two headers %s', async (name) => {
    const answer = await exchange('/health/live', 'Host: a', `${name}: b`, `${name.toLowerCase()}: c`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"repeated_header"');
    expect(await exchange('/health/live', 'Host: a', 'Accept: b', 'Accept: c')).toMatch(/^HTTP\/1\.1 200 /);
  });
});
