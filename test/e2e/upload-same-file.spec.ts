// The same bytes again, many files at once, and rehearsals: what makes a file known and what does not.
import { company, companies, fileOf, HEADER } from '../harness/companies.js';
import { Stack, type HttpAnswer } from '../harness/stack.js';

interface Diff {
  added: number;
  changed: number;
  unchanged: number;
  missing: number;
  items: { key: Record<string, string>; feature: string; old: string | number | null; new: string | number | null }[];
  truncated?: true;
}
type Rehearsed = HttpAnswer['body'] & {
  result: Record<string, object[]>;
  diff: Record<string, Diff>;
  truncated?: string[];
};

describe('the same file, many files, rehearsals', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  const rowsOf = async (city: string) => (await stack.rows()).filter((row) => row.cidade === city);
  const runs = async () =>
    ((await stack.request('/v1/runs?limit=1000')).body as unknown as { items: { id: string; state: string }[] }).items;

  it('answers eight clients at once with one run, and publishes one row set', async () => {
    const file = fileOf([company(1, 'oito'), company(2, 'oito'), company(3, 'oito')]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => stack.upload(file, { query: 'wait=60' })));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(answers.every((answer) => answer.status === 200 && answer.body.state === 'completed')).toBe(true);
    expect(answers.filter((answer) => !answer.body.duplicate)).toHaveLength(1);
    expect((await rowsOf('oito')).map((row) => row._row).sort()).toEqual([1, 2, 3]);
    expect(await runs()).toHaveLength(1);
    // Ids that proved known are never shown, and a duplicate without `wait` is 200 at once.
    const later = await stack.upload(file, { query: '' });
    expect([later.status, later.body.duplicate, later.body.id]).toEqual([200, true, answers[0]!.body.id]);
  }, 60_000);

  it('takes rejected bytes again', async () => {
    const bad = fileOf([company(1, 'mau', -1)]);
    const first = await stack.upload(bad);
    const second = await stack.upload(bad);
    expect([first.status, second.status]).toEqual([422, 422]);
    expect(second.body.run).not.toBe(first.body.run);
  }, 60_000);

  it('completes fifty files at once, with effects in one order for every group', async () => {
    const cities = Array.from({ length: 8 }, (_, n) => `ordem ${n}`);
    const files = Array.from({ length: 50 }, (_, n) => fileOf(cities.map((city, i) => company(n * 100 + i, city, n))));
    const answers = await Promise.all(files.map((file) => stack.upload(file, { query: 'wait=120' })));
    expect(answers.map((answer) => [answer.status, answer.body.state])).toEqual(files.map(() => [200, 'completed']));
    const rows = (await stack.rows()).filter((row) => cities.includes(String(row.cidade)));
    expect(rows).toHaveLength(50 * cities.length);
    // In every partition, and so for every group, the uploads follow each other in the same order.
    const orders = cities.map((city) => rows.filter((row) => row.cidade === city).map((row) => row._upload));
    for (const order of orders) expect(order).toEqual(orders[0]);
    const last = orders[0]!.at(-1);
    for (const city of cities)
      expect(await stack.hash(city)).toMatchObject({ _upload: last, quantidade_empresas: '1' });
  }, 120_000);

  it('rehearses: result and diff against Redis, nothing written, the file not known', async () => {
    const real = fileOf([company(1, 'A', 10), company(2, 'B', 20), company(3, 'C', 30)]);
    expect((await stack.upload(real)).body.state).toBe('completed');
    const known = (await stack.redis.keys('*')).filter((key) => key.length > 1 && !key.includes(':')).length;
    const rehearsed = fileOf([company(1, 'A', 10), company(2, 'B', 25), company(4, 'D', 40), company(5, 'D', 1)]);
    const before = await everything(stack);
    const answer = await stack.upload(rehearsed, { query: 'wait=60&save_to_db=false' });
    expect(answer.status).toBe(200);
    const body = answer.body as Rehearsed;
    expect(body).toMatchObject({ state: 'completed', save_to_db: false, duplicate: false, features_written: 0 });
    expect(body.rows).toEqual({ read: 4, accepted: 4, rejected: 0, published: 0, late: 0 });
    expect(body.result.empresas_por_cidade).toContainEqual({
      key: { cidade: 'D' },
      window: { type: 'upload', start: null, end: null },
      features: { quantidade_empresas: 2, capital_social_medio: '20.5', capital_social_total: '41' },
    });
    const diff = body.diff.empresas_por_cidade!;
    // Missing: what the earlier tests left, and C.
    expect(diff).toMatchObject({ added: 1, changed: 1, unchanged: 1, missing: known + 1 });
    expect(diff.items).toContainEqual({ key: { cidade: 'B' }, feature: 'capital_social_total', old: '20', new: '25' });
    expect(diff.items).toContainEqual({ key: { cidade: 'D' }, feature: 'quantidade_empresas', old: null, new: 2 });
    expect(body.diff.aberturas_por_dia).toEqual({ not_comparable: true });
    expect(await everything(stack)).toEqual(before);
    // The run keeps the document; a second rehearsal is a run of its own, and so is the real one.
    const { body: kept } = await stack.request(`/v1/runs/${body.id}`);
    expect((kept as Rehearsed).diff).toEqual(body.diff);
    const second = await stack.upload(rehearsed, { query: 'wait=60&save_to_db=false' });
    expect(second.body).toMatchObject({ duplicate: false, state: 'completed' });
    expect(second.body.id).not.toBe(body.id);
    const saved = await stack.upload(rehearsed);
    expect(saved.body).toMatchObject({ duplicate: false, state: 'completed', rows: { published: 4 } });
    // And of a file that is known, too.
    const third = await stack.upload(rehearsed, { query: 'wait=60&save_to_db=false' });
    expect(third.body).toMatchObject({ duplicate: false, state: 'completed' });
  }, 60_000);

  it('answers a rehearsal of a bad file with the verdicts', async () => {
    const answer = await stack.upload(fileOf([company(1, 'mau', -2)]), { query: 'wait=60&save_to_db=false' });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: 'checks_failed', failed_checks: ['max_error_fraction'] });
    expect(answer.body.checks).toHaveLength(2);
  }, 60_000);

  it('keeps the rows that a rehearsed file would lose', async () => {
    const lines = [
      company(1, 'boa', 1),
      company(2, 'má', -2),
      ...Array.from({ length: 18 }, (_, n) => company(n, 'boa')),
    ];
    const { body } = await stack.upload(fileOf(lines), { query: 'wait=60&save_to_db=false' });
    expect(body).toMatchObject({ state: 'completed', rows: { read: 20, accepted: 19, rejected: 1, published: 0 } });
    const letters = (await stack.request(`/v1/runs/${body.id}/dead-letters`)).body as unknown as { items: object[] };
    expect(letters.items).toEqual([
      expect.objectContaining({ upload: body.id, row: 2, line: 3, column: 'capital_social', code: 'range' }),
    ]);
  }, 60_000);

  it('lists at most 10,000 items a view, and refuses more than 200,000 groups', async () => {
    const many = await stack.upload(companies(10_500, 10_500, 'grupo'), { query: 'wait=120&save_to_db=false' });
    const body = many.body as Rehearsed;
    expect(body.state).toBe('completed');
    expect(body.result.empresas_por_cidade).toHaveLength(10_000);
    expect(body.diff.empresas_por_cidade).toMatchObject({ added: 10_500, truncated: true });
    expect(body.diff.empresas_por_cidade!.items).toHaveLength(10_000);
    expect(body.truncated).toContain('empresas_por_cidade');
    // Each row opens a group in both views.
    const lines = Array.from({ length: 100_500 }, (_, n) => company(n, `g${n}`, 1));
    const tooMany = await stack.upload(`${HEADER}\n${lines.join('\n')}\n`, { query: 'wait=120&save_to_db=false' });
    expect([tooMany.status, tooMany.body]).toEqual([413, expect.objectContaining({ code: 'too_many_groups' })]);
    expect((await stack.request(`/v1/runs/${tooMany.body.run}`)).body).toMatchObject({ state: 'failed' });
  }, 120_000);
});

/** All that a rehearsal must not touch: the ends of the pipeline's topics, and Redis. */
async function everything(stack: Stack): Promise<object> {
  const { rows, features, deadLetter, uploads } = stack.topics();
  const ends: Record<string, string[]> = {};
  for (const topic of [rows, features, deadLetter, uploads]) {
    ends[topic] = (await stack.client.offsets(topic)).map((offsets) => String(offsets.end));
  }
  const keys = (await stack.redis.keys('*')).sort();
  const hashes = await Promise.all(keys.map(async (key) => [key, await stack.redis.dump(key)]));
  return { ends, hashes };
}
