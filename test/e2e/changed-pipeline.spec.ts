// A pipeline file that changes under a running deployment: views added, removed and changed; other key columns are refused,
// and that pipeline alone.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { featuresIn } from '../harness/features-in.js';
import { Stack, until } from '../harness/stack.js';
import { shopFeatures, shopSales, shopsCsv } from '../harness/shops.js';

describe('a changed pipeline', () => {
  let folder: string;
  let stack: Stack;
  let original: string;
  const uploads = [0, 1, 2].map((place) => shopSales({ seed: 5 + place, rows: 1_000, place }));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'caudal-changed-'));
    await cp('test/harness/pipelines', folder, { recursive: true });
    await cp('pipelines/empresas.yaml', join(folder, 'empresas.yaml'));
    original = await readFile(join(folder, 'lojas.yaml'), 'utf8');
    stack = await Stack.start({ pipelinesDir: folder, partitions: 2 });
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const send = async (place: number) => {
    const answer = await stack.upload(shopsCsv(uploads[place]!), { pipeline: 'lojas' });
    expect(answer.body).toMatchObject({ state: 'completed', error: null });
    return answer.body;
  };
  const change = async (text: string) => {
    await writeFile(join(folder, 'lojas.yaml'), text);
    for (const service of stack.services) {
      await service.kill('SIGTERM');
      service.start();
    }
  };
  const viewsOf = async () => {
    const { body } = await stack.request('/v1/pipelines/lojas');
    const views = (body as unknown as { views: { name: string; since: string | null }[] }).views;
    return new Map(views.map(({ name, since }) => [name, since]));
  };

  it('goes on with what is the same, begins what is new, and takes back what is gone', async () => {
    await send(0);
    // por_loja is gone, loja_sempre has other features, por_cidade_sempre is new; por_cidade and loja_por_dia go on.
    const lines = original.split('\n');
    const from = lines.indexOf('  por_loja:');
    lines.splice(from, 5);
    const text = lines
      .join('\n')
      .replace('media: { avg: valor }', 'media: { avg: valor }, maior: { max: valor }')
      .replace(
        'checks: []',
        "  por_cidade_sempre:\n    group_by: [cidade]\n    window: { type: all_time }\n    features: { vendas: { count: '*' } }\n    redis: { key: 'n:{cidade}' }\nchecks: []",
      );
    await change(text);
    await stack.ready();
    const gone = await until('what is gone to be taken back', async () => {
      const keys = [...(await featuresIn(stack)).keys()];
      return keys.some((key) => key.startsWith('l:') || key.startsWith('s:')) ? null : keys;
    });
    expect(gone.some((key) => key.startsWith('c:'))).toBe(true);
    const run = await send(1);
    const both = shopFeatures(uploads.slice(0, 2)).hashes;
    const second = shopFeatures([uploads[1]!]).hashes;
    const found = await featuresIn(stack);
    for (const [key, hash] of found) {
      if (key.startsWith('s:')) expect(hash).toMatchObject(second.get(key)!);
      else if (key.startsWith('n:')) expect(hash).toEqual({ vendas: second.get(key.replace('n:', 'c:'))!.vendas });
      else expect(hash).toEqual(both.get(key));
    }
    expect([...found.keys()].some((key) => key.startsWith('n:'))).toBe(true);
    expect([...found.keys()].some((key) => key.startsWith('s:'))).toBe(true);
    expect([...found.keys()].filter((key) => key.startsWith('Cidade')).sort()).toEqual(
      [...both.keys()].filter((key) => key.startsWith('Cidade')).sort(),
    );
    const since = await viewsOf();
    expect(since.get('por_cidade')).toBeNull();
    expect(since.get('loja_sempre')).toBe(run.created_at);
    expect(since.get('por_cidade_sempre')).toBe(run.created_at);
  }, 180_000);

  it('goes on after a restart without a view of its key columns; what comes back begins empty', async () => {
    const from = original.indexOf('  por_cidade:');
    await change(original.slice(0, from) + original.slice(original.indexOf('  loja_por_dia:')));
    await stack.ready();
    await until('what is gone to be taken back', async () =>
      [...(await featuresIn(stack)).keys()].every((key) => key.startsWith('Cidade')),
    );
    const aggregator = stack.service('aggregator');
    await aggregator.kill();
    aggregator.start();
    await aggregator.ready();
    await change(original);
    await stack.ready();
    await send(2);
    const isByDay = ([key]: [string, object]) => key.startsWith('Cidade');
    const last = [...shopFeatures([uploads[2]!]).hashes].filter((one) => !isByDay(one));
    const days = [...shopFeatures(uploads).hashes].filter(isByDay);
    expect(await featuresIn(stack)).toEqual(new Map([...last, ...days]));
  }, 180_000);

  it('is refused with other key columns, and the others go on', async () => {
    await change(original.replace('key: [cidade]', 'key: [loja]'));
    await stack.service('ingest').ready();
    const refused = await stack.upload(shopsCsv(uploads[0]!), { pipeline: 'lojas', query: 'again=true' });
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({ code: 'pipeline_changed' });
    expect(refused.text).toContain('caudal reset lojas');
    const other = await stack.upload(await stack.example());
    expect(other.body).toMatchObject({ state: 'completed' });
    const aggregator = stack.service('aggregator');
    const reasons = await (await fetch(`http://127.0.0.1:${aggregator.port}/health/ready`)).text();
    expect(reasons).toContain('task_halted: lojas');
    expect(reasons).not.toContain('task_halted: empresas');
  }, 120_000);

  it('begins anew under them after a reset', async () => {
    const reset = await stack.request('/v1/pipelines/lojas/reset', { method: 'POST' });
    expect(reset.status).toBe(202);
    await stack.ready();
    const answer = await stack.upload(`${shopsCsv(uploads[0]!)}\n`, {
      pipeline: 'lojas',
      query: 'wait=120&again=true',
    });
    expect(answer.body).toMatchObject({ state: 'completed' });
    const isOfLojas = (key: string) => !/^(São Paulo|Rio|Belo|aberturas)/.test(key);
    const found = [...(await featuresIn(stack))].filter(([key]) => isOfLojas(key));
    expect(new Map(found)).toEqual(shopFeatures([uploads[0]!]).hashes);
  }, 120_000);
});
