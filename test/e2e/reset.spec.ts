// `caudal reset`: empty, with a replay of the kept rows, and after retention has deleted some.
import { deleteRecords } from '../harness/delete-records.js';
import { featuresIn } from '../harness/features-in.js';
import { Stack, until } from '../harness/stack.js';
import { shopFeatures, shopSales, shopsCsv } from '../harness/shops.js';

describe('a reset', () => {
  let stack: Stack;
  const uploads = [0, 1, 2].map((place) => shopSales({ seed: 9 + place, rows: 1_000, place }));

  beforeAll(async () => {
    stack = await Stack.start({ pipelinesDir: 'test/harness/pipelines', partitions: 2 });
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  const send = async (place: number, query = 'wait=120') => {
    const answer = await stack.upload(shopsCsv(uploads[place]!), { pipeline: 'lojas', query });
    expect(answer.body).toMatchObject({ state: 'completed', error: null });
  };
  const reset = (body: object) =>
    stack.request('/v1/pipelines/lojas/reset', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('with replay gives the same values as before', async () => {
    await send(0);
    await send(1);
    const expected = shopFeatures(uploads.slice(0, 2)).hashes;
    expect(await featuresIn(stack)).toEqual(expected);
    const before = (await stack.hash('c:Cidade 1'))._generation!;
    const answer = await reset({ replay: true });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ pipeline: 'lojas', replay: true, from: ['0', '0'] });
    await until('all values of the new generation', async () => {
      const generations = await Promise.all(
        [...expected.keys()].map(async (key) => Number((await stack.hash(key))._generation ?? 0)),
      );
      return generations.every((generation) => generation > Number(before));
    });
    await until('the same values', async () => {
      expect(await featuresIn(stack)).toEqual(expected);
      return true;
    });
  }, 180_000);

  it('without replay begins empty: Redis too', async () => {
    expect((await reset({})).status).toBe(202);
    await until('Redis to be empty', async () => (await featuresIn(stack)).size === 0);
    await send(2);
    expect(await featuresIn(stack)).toEqual(shopFeatures([uploads[2]!]).hashes);
  }, 180_000);

  it('refuses a replay of rows that are gone, unless the loss is accepted', async () => {
    const { rows } = stack.topics('lojas');
    const [log] = await stack.client.offsets(rows);
    await deleteRecords(rows, 0, log!.start + 5n);
    const refused = await reset({ replay: true });
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({ code: 'rows_gone' });
    expect((refused.body as unknown as { first_kept: string }).first_kept).toMatch(/^20\d\d-/);
    expect((await reset({ replay: true, accept_loss: true })).status).toBe(202);
    // The first upload is not whole any more: the replay begins behind it.
    const expected = shopFeatures(uploads.slice(1)).hashes;
    await until('what is left', async () => {
      expect(await featuresIn(stack)).toEqual(expected);
      return true;
    });
  }, 180_000);

  it('ends the halt of a task whose rows are gone: what was not counted is given up', async () => {
    const aggregator = stack.service('aggregator');
    await aggregator.kill('SIGTERM');
    const query = 'wait=0&again=true';
    const run = (await stack.upload(shopsCsv(uploads[0]!), { pipeline: 'lojas', query })).body.id!;
    await until('the rows to be published', async () => {
      return (await stack.request(`/v1/runs/${run}`)).body.state === 'aggregating';
    });
    const { rows } = stack.topics('lojas');
    const [log] = await stack.client.offsets(rows);
    await deleteRecords(rows, 0, log!.end - 1n);
    aggregator.start();
    await until('the task to halt', async () => {
      const ready = await fetch(`http://127.0.0.1:${aggregator.port}/health/ready`);
      return (await ready.text()).includes('input_lost');
    });
    expect(aggregator.log).toMatch(/offsets \d+ to \d+ are gone/);
    const refused = await reset({});
    expect(refused.body).toMatchObject({ status: 409, code: 'runs_in_progress', runs: [run] });
    const answer = await reset({ accept_loss: true });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ runs_given_up: [run] });
    expect((await stack.ended(run)).body).toMatchObject({ state: 'failed', error: { code: 'reset' } });
    await stack.ready();
    await send(0, 'wait=120&again=true');
    await until('the values of that file alone', async () => {
      expect(await featuresIn(stack)).toEqual(shopFeatures([uploads[0]!]).hashes);
      return true;
    });
  }, 180_000);

  it('says what it does not know, and whom', async () => {
    const nobody = await stack.request('/v1/pipelines/nobody/reset', { method: 'POST' });
    expect(nobody.body).toMatchObject({ status: 404, code: 'unknown_pipeline' });
    expect((await reset({ replay: 'yes' })).status).toBe(400);
    expect((await reset({ replaying: true })).status).toBe(400);
  });
});
