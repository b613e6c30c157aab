// Two ingests: one is active, the other stands by and takes over when the active one dies, stops or ends; what was being
// published goes on where both see the same state folder, and waits for the same bytes where they do not.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UploadProgress } from '#contracts';
import { company, companies, fileOf } from '../harness/companies.js';
import { Stack, until, type Service } from '../harness/stack.js';

const ROWS = 50_000;
const CITIES = 20;
const SLOWLY = ['--import', './test/harness/slow-commits.mjs'];
const TOKEN = 'standby-0123456789abcdef0123456789abcdef';

describe('a second ingest', () => {
  let stack: Stack;
  let first: Service;
  let second: Service;
  let otherDir: string;
  beforeAll(async () => {
    otherDir = await mkdtemp(join(tmpdir(), 'caudal-standby-'));
    stack = await Stack.start({
      token: TOKEN,
      env: { CAUDAL_TOKENS: `t:upload+read+admin:${TOKEN}` },
      nodeArgs: { ingest: SLOWLY },
    });
    first = stack.service('ingest');
    second = await stack.add('ingest');
    await standsBy(second);
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(otherDir, { recursive: true, force: true });
  }, 60_000);

  const health = async (service: Service) => {
    const answer = await fetch(`http://127.0.0.1:${service.port}/health/ready`);
    return { status: answer.status, body: (await answer.json()) as { reasons?: string[] } };
  };
  const standsBy = (service: Service) =>
    until('a standby', async () => {
      const { status, body } = await health(service);
      return status === 503 && body.reasons?.join() === 'standby';
    });
  /** The other one is active: requests go there. */
  const tookOver = async (service: Service) => {
    const since = performance.now();
    await service.ready();
    process.stdout.write(`take-over: ${Math.round(performance.now() - since)} ms\n`);
    stack.front = service;
  };
  const progressOf = async (run: string): Promise<UploadProgress | null> => {
    const records = await stack.records(stack.topics().uploads);
    const value = records.findLast((record) => record.key?.toString() === run)?.value;
    return value ? (JSON.parse(value.toString()) as UploadProgress) : null;
  };
  /** A large file of which some rows, but not all, are committed. */
  const publishing = async (mark: string): Promise<string> => {
    const { status, body } = await stack.upload(companies(ROWS, CITIES, mark), { query: '' });
    expect(status).toBe(202);
    await until('the first rows', async () => ((await progressOf(body.id!))?.published ?? 0) > 0);
    return body.id!;
  };
  const expectExact = async (run: string, mark: string) => {
    const { body } = await stack.ended(run);
    expect(body).toMatchObject({ state: 'completed', rows: { read: ROWS, published: ROWS } });
    const numbers = (await stack.rows()).filter((row) => row._upload === run).map((row) => row._row);
    expect([numbers.length, new Set(numbers).size]).toEqual([ROWS, ROWS]);
    let total = 0;
    for (let n = 0; n < CITIES; n++) total += Number((await stack.hash(`${mark} ${n}`)).quantidade_empresas);
    expect(total).toBe(ROWS);
  };

  it('stands by: health and metrics answer, everything else is 503 `standby`, behind the same guard', async () => {
    const ask = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${second.port}${path}`, init);
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'text/csv' };
    expect((await ask('/health/live')).status).toBe(200);
    expect((await ask('/metrics', { headers })).status).toBe(200);
    for (const [method, path] of [
      ['GET', '/v1/runs'],
      ['POST', '/v1/pipelines/empresas/uploads'],
      ['POST', '/v1/runs'],
      ['GET', '/nothing'],
    ]) {
      expect((await ask(path!, { method: method! })).status).toBe(401);
      const answer = await ask(path!, { method: method!, headers, ...(method === 'POST' ? { body: 'x' } : {}) });
      expect([path, answer.status]).toEqual([path, 503]);
      expect(await answer.json()).toMatchObject({ code: 'standby', status: 503 });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    // The active one has not noticed it.
    expect((await stack.upload(fileOf([company(1, 'ativo')]))).status).toBe(200);
  });

  it('kill -9 of the active one while it publishes: the standby goes on with the file, exactly', async () => {
    const run = await publishing('herdeiro');
    await first.kill();
    expect((await progressOf(run))?.ended).toBe(false);
    await tookOver(second);
    await expectExact(run, 'herdeiro');
    // The same bytes are known to the new one.
    const again = await stack.upload(companies(ROWS, CITIES, 'herdeiro'), { query: '' });
    expect(again.body).toMatchObject({ id: run, duplicate: true });
    first.start();
    await standsBy(first);
  }, 120_000);

  it('SIGSTOP of the active one: taken over; when it goes on it ends, and is a standby', async () => {
    const run = await publishing('zumbi');
    second.signal('SIGSTOP');
    await tookOver(first);
    await expectExact(run, 'zumbi');
    second.signal('SIGCONT');
    expect(await second.exited()).toBe(1);
    expect(second.log).toContain('another ingest is active');
    expect((await health(first)).status).toBe(200);
    second.start();
    await standsBy(second);
  }, 120_000);

  it('SIGTERM of the active one: it lets go, and the standby takes over', async () => {
    const run = await publishing('sucessor');
    first.signal('SIGTERM');
    expect(await first.exited()).toBe(0);
    await tookOver(second);
    await expectExact(run, 'sucessor');
  }, 120_000);

  it('with a state folder of its own: interrupted, later files go ahead, the same bytes resume it', async () => {
    const third = await stack.add('ingest', { CAUDAL_STATE_DIR: otherDir });
    await standsBy(third);
    const run = await publishing('sem herança');
    await second.kill();
    await tookOver(third);
    await until('the run to be interrupted', async () => {
      return (await stack.request(`/v1/runs/${run}`)).body.state === 'interrupted';
    });
    expect((await stack.upload(fileOf([company(1, 'depois')]))).body).toMatchObject({ state: 'completed' });
    const again = await stack.upload(companies(ROWS, CITIES, 'sem herança'));
    expect([again.status, again.body.id]).toEqual([200, run]);
    await expectExact(run, 'sem herança');
  }, 120_000);
});
