// The main job: the shipped example through all three services, read back from Redis and from the topics.
import { decodeControl } from '#contracts';
import { Stack } from '../harness/stack.js';

describe('six rows through three services', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  it('gives the features of the contract', async () => {
    const answer = await stack.upload(await stack.example());
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      state: 'completed',
      duplicate: false,
      rows: { read: 6, accepted: 6, rejected: 0, published: 6, late: 0 },
      error: null,
    });
    expect(answer.headers.get('location')).toBe(`/v1/runs/${answer.body.id}`);
    const run = answer.body.id!;
    expect(await stack.hash('São Paulo')).toMatchObject({
      quantidade_empresas: '3',
      capital_social_medio: '65000',
      capital_social_total: '195000',
      _view: 'empresas/empresas_por_cidade',
      _upload: run,
    });
    expect(await stack.hash('Rio de Janeiro')).toMatchObject({
      quantidade_empresas: '2',
      capital_social_medio: '112500',
      capital_social_total: '225000',
    });
    expect(await stack.hash('Belo Horizonte')).toMatchObject({
      quantidade_empresas: '1',
      capital_social_medio: '30000',
      capital_social_total: '30000',
    });
    const day = Date.UTC(2023, 0, 10);
    expect(await stack.hash(`aberturas_por_dia:São Paulo:${day}`)).toMatchObject({
      empresas: '1',
      _window_start: String(day),
      _window_end: String(day + 86_400_000),
    });
  }, 60_000);

  it('leaves rows and control records as the contract says', async () => {
    const records = await stack.records(stack.topics().rows);
    const controls = records.map((record) => decodeControl(record)).filter((control) => control !== null);
    expect(controls).toHaveLength(4);
    expect(controls.every((control) => control.kind === 'end-of-upload' && control.rowsTotal === 6)).toBe(true);
    expect(controls.reduce((sum, control) => sum + control.rowsInPartition, 0)).toBe(6);
    const rows = await stack.rows();
    expect(rows.map((row) => row._row).sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rows.find((row) => row._row === 1)).toEqual({
      cnpj: '12345678000101',
      data_abertura: '2023-01-10T09:00:00.000Z',
      cidade: 'São Paulo',
      estado: 'SP',
      capital_social: '50000',
      _upload: rows[0]!._upload,
      _row: 1,
      _time: Date.UTC(2023, 0, 10, 9),
    });
  });

  it('answers the same run for the same bytes', async () => {
    const again = await stack.upload(await stack.example());
    expect(again.status).toBe(200);
    expect(again.body).toMatchObject({ duplicate: true, state: 'completed' });
    expect(await stack.rows()).toHaveLength(6);
    const list = await stack.request('/v1/runs');
    expect((list.body as unknown as { items: unknown[] }).items).toHaveLength(1);
  }, 60_000);
});
