// cancel and retry: what becomes of a run in each state. The table in docs/reference/http.md is these tests.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../../scripts/native-redis.mjs';
import { freePort } from '../../scripts/ports.mjs';
import { pipelinesIn, salesFile, salesPipeline } from '../harness/sales.js';
import { Stack, until, type HttpAnswer, type Service } from '../harness/stack.js';

const SLOWLY = ['--import', './test/harness/slow-commits.mjs'];
/** Four transactions. */
const LARGE = 50_000;

describe('cancel and retry', () => {
  let dir: string;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let stack: Stack;
  let ingest: Service;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-actions-'));
    const port = await freePort();
    redis = await startRedis({ stateDir: join(dir, 'redis'), port, say: () => undefined, logFile: undefined });
    const pipelinesDir = await pipelinesIn(dir, {
      vendas: salesPipeline('vendas', 'retries: { attempts: 2, delay: 300ms }'),
    });
    stack = await Stack.start({ pipelinesDir, redisUrl: redis.url, nodeArgs: { ingest: SLOWLY } });
    ingest = stack.service('ingest');
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await redis?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const upload = (file: string, query = '') => stack.upload(file, { pipeline: 'vendas', query });
  const act = (run: string, what: 'cancel' | 'retry', body?: object): Promise<HttpAnswer> =>
    stack.request(`/v1/runs/${run}/${what}`, {
      method: 'POST',
      ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
    });
  /** The answer is a refusal with this code. */
  const refused = async (run: string, what: 'cancel' | 'retry', status: number, code: string, body?: object) => {
    const answer = await act(run, what, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  };
  const stateOf = async (run: string) => (await stack.request(`/v1/runs/${run}`)).body.state;
  const large = (mark: string) => salesFile(...Array.from({ length: LARGE }, (_, n) => `${mark} ${n % 7},1`));
  const publishing = async (mark: string) => {
    const { body } = await upload(large(mark));
    await until(
      'the first rows',
      async () => ((await stack.request(`/v1/runs/${body.id}`)).body.rows?.published ?? 0) > 0,
    );
    return body.id!;
  };

  it('cancels what waits in line and leaves nothing of it; what is being published goes on', async () => {
    const first = await publishing('fila');
    const { body: second } = await upload(salesFile('cancelada,1'));
    const third = upload(salesFile('terceira,1'), 'wait=60');
    expect(second.state).toBe('queued');
    await refused(first, 'cancel', 409, 'publishing_started');
    await refused(second.id!, 'retry', 409, 'in_progress');
    const cancelled = await act(second.id!, 'cancel');
    expect([cancelled.status, cancelled.body.state]).toEqual([202, 'cancelled']);
    await refused(second.id!, 'cancel', 409, 'already_ended');
    await refused(second.id!, 'retry', 409, 'body_gone');
    expect((await third).body).toMatchObject({ state: 'completed' });
    expect(await stateOf(first)).toBe('completed');
    await refused(first, 'cancel', 409, 'already_ended');
    await refused(first, 'retry', 409, 'already_completed');
    expect(await stack.hash('vendas:t:cancelada')).toEqual({});
    expect((await stack.rows('vendas')).filter((row) => row.cidade === 'cancelada')).toEqual([]);
    // Its bytes are not known: sent again they are a new file.
    const again = await upload(salesFile('cancelada,1'), 'wait=60');
    expect(again.body).toMatchObject({ state: 'completed', duplicate: false });
    expect(again.body.id).not.toBe(second.id);
    expect((await act('0'.repeat(26), 'cancel')).status).toBe(404);
    expect((await act('0'.repeat(26), 'retry')).status).toBe(404);
  }, 120_000);

  it('takes a refused file past its checks, with force and a reason that is kept', async () => {
    const file = salesFile('forte,1', 'forte,-1', 'forte,2');
    const { status, body } = await upload(file, 'wait=60');
    expect(status).toBe(422);
    const run = body.run as unknown as string;
    await refused(run, 'retry', 409, 'refused');
    await refused(run, 'retry', 400, 'reason_needed', { force: true });
    await refused(run, 'retry', 400, 'bad_body', { force: 'yes', reason: 'x' });
    // The body outlives a restart.
    await ingest.kill();
    ingest.start();
    await ingest.ready();
    const forced = await act(run, 'retry', { force: true, reason: 'conferido com a loja' });
    expect([forced.status, forced.body.attempt]).toEqual([202, 2]);
    const { body: ended } = await stack.ended(run);
    expect(ended).toMatchObject({
      state: 'completed',
      attempt: 2,
      rows: { read: 3, accepted: 2, rejected: 1, published: 2 },
      forced: { reason: 'conferido com a loja' },
    });
    expect(ended.checks!.find((check) => check.name === 'max_error_fraction')).toMatchObject({ verdict: 'fail' });
    expect(await stack.hash('vendas:t:forte')).toMatchObject({ vendas: '2', total: '3' });
    const letters = (await stack.request(`/v1/runs/${run}/dead-letters`)).body as unknown as { items: object[] };
    expect(letters.items).toHaveLength(1);
    // Now it is known.
    expect((await upload(file, 'wait=60')).body).toMatchObject({ id: run, duplicate: true });
    const header = await upload('outra,coisa\n1,2\n', 'wait=60');
    await act(header.body.run as unknown as string, 'retry', { force: true, reason: 'x' });
    expect((await stack.ended(header.body.run as unknown as string)).body).toMatchObject({
      state: 'rejected',
      attempt: 2,
    });
  }, 90_000);

  it('retries a failed run from its spool, also after a restart; passing faults as `retries` says', async () => {
    await redis.kill();
    const file = salesFile('falhou,4');
    const { body } = await upload(file);
    const failed = (await stack.ended(body.id!)).body;
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'redis_away', retriable: true } });
    expect(failed.steps!.find((step) => step.name === 'check_redis')).toMatchObject({ state: 'failed', attempt: 2 });
    await redis.restart();
    await ingest.kill('SIGTERM');
    ingest.start();
    await ingest.ready();
    const [one, two] = await Promise.all([act(body.id!, 'retry'), act(body.id!, 'retry')]);
    expect([one!.status, two!.status].sort()).toEqual([202, 409]);
    const ended = (await stack.ended(body.id!)).body;
    expect(ended).toMatchObject({ state: 'completed', attempt: 2, error: null, rows: { published: 1 } });
    expect(ended.steps!.find((step) => step.name === 'check_redis')).toMatchObject({ state: 'done', attempt: 3 });
    expect(await stack.hash('vendas:u:falhou')).toMatchObject({ vendas: '1', _upload: body.id });
  }, 90_000);

  it('does not retry what somebody else has sent meanwhile', async () => {
    await redis.kill();
    const file = salesFile('outra vez,4');
    const { body } = await upload(file);
    await stack.ended(body.id!);
    await redis.restart();
    await until('Redis to be seen again', async () => (await stack.request('/health/ready')).status === 200);
    const other = await upload(file, 'wait=60');
    expect(other.body).toMatchObject({ state: 'completed', duplicate: false });
    await refused(body.id!, 'retry', 409, 'file_known');
  }, 90_000);

  it('gives an interrupted run up: upload windows dropped, rows stay counted elsewhere, the bytes are new', async () => {
    await ingest.kill();
    ingest.start(SLOWLY);
    await ingest.ready();
    const run = await publishing('meio');
    await ingest.kill();
    await rm(join(stack.stateDir, 'spool', run), { recursive: true });
    ingest.start();
    await ingest.ready();
    await until('the run to be interrupted', async () => (await stateOf(run)) === 'interrupted');
    await refused(run, 'retry', 409, 'body_gone');
    const { status } = await act(run, 'cancel');
    expect(status).toBe(202);
    const { body } = await stack.ended(run);
    expect(body).toMatchObject({ state: 'cancelled', error: { code: 'abandoned' } });
    const published = body.rows!.published;
    expect(published).toBeGreaterThan(0);
    expect(published).toBeLessThan(LARGE);
    expect(body.error!.message).toContain(`${published} rows`);
    const counted = async (view: string) => {
      let sum = 0;
      for (let n = 0; n < 7; n++) sum += Number((await stack.hash(`vendas:${view}:meio ${n}`)).vendas ?? 0);
      return sum;
    };
    await until('what was published to be counted', async () => (await counted('t')) === published);
    const controls = (await stack.records(stack.topics('vendas').rows)).filter(
      (record) => record.headers.caudal?.toString() === 'cancel-upload',
    );
    expect(controls).toHaveLength(stack.partitions);
    const again = await upload(large('meio'), 'wait=120');
    expect(again.body).toMatchObject({ state: 'completed', duplicate: false, rows: { published: LARGE } });
    expect(again.body.id).not.toBe(run);
    expect([await counted('u'), await counted('t')]).toEqual([LARGE, LARGE + published]);
    expect(await readdir(join(stack.stateDir, 'spool'))).not.toContain(run);
  }, 150_000);

  it('a rehearsal may be cancelled too, and what ended cannot', async () => {
    const { body } = await upload(salesFile('ensaio,1'), 'save_to_db=false&wait=60');
    expect(body.state).toBe('completed');
    await refused(body.id!, 'cancel', 409, 'already_ended');
    await refused(body.id!, 'retry', 409, 'already_completed');
  }, 60_000);
});
