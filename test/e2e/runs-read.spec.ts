// What can be asked of runs: the list, one run, dead letters as JSON and CSV; health, metrics; and what logs must not hold.
import { company, fileOf } from '../harness/companies.js';
import { Stack, type HttpAnswer } from '../harness/stack.js';

const MARKER = 'segredo-da-celula';

interface Letter {
  upload: string;
  row: number;
  line: number;
  column: string | null;
  code: string;
  message: string;
  raw: string;
  raw_truncated: boolean;
}

describe('reading runs', () => {
  let stack: Stack;
  let good: HttpAnswer;
  let refused: HttpAnswer;
  let partly: HttpAnswer;
  beforeAll(async () => {
    stack = await Stack.start();
    good = await stack.upload(fileOf([company(1, 'boa')]));
    refused = await stack.upload(fileOf([company(2, `=${MARKER}`, -1), company(3, MARKER, 'x')]));
    const lines = Array.from({ length: 40 }, (_, n) => company(n, 'parte'));
    lines[4] = company(4, '@formula', -5);
    lines[9] = `${company(9, `"${'ã'.repeat(5_000)}\n${MARKER}"`, '')}x`;
    lines[14] = 'só,dois';
    partly = await stack.upload(fileOf(lines));
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  const page = async (query: string) => {
    const { status, body } = await stack.request(`/v1/runs?${query}`);
    expect(status).toBe(200);
    return body as unknown as { items: { id: string; state: string; bytes: number }[]; next_cursor: string | null };
  };
  const letters = async (run: string, query = '') => {
    const { status, body } = await stack.request(`/v1/runs/${run}/dead-letters?${query}`);
    expect(status).toBe(200);
    return body as unknown as { items: Letter[]; next_cursor: string | null };
  };

  it('lists runs newest first, by page, pipeline and state', async () => {
    const ids = [partly.body.id, refused.body.run as unknown as string, good.body.id];
    expect((await page('')).items.map((run) => run.id)).toEqual(ids);
    const first = await page('limit=2');
    expect(first.items.map((run) => run.id)).toEqual(ids.slice(0, 2));
    const second = await page(`limit=2&cursor=${first.next_cursor}`);
    expect([second.items.map((run) => run.id), second.next_cursor]).toEqual([ids.slice(2), null]);
    expect((await page('state=rejected')).items.map((run) => run.id)).toEqual([ids[1]]);
    expect((await page('pipeline=empresas&state=completed')).items).toHaveLength(2);
    expect((await page('pipeline=outro')).items).toEqual([]);
    for (const query of ['limit=0', 'limit=1001', 'state=done', 'pipeline=A', 'cursor=x', 'limit=1&limit=2', 'y=1']) {
      expect((await stack.request(`/v1/runs?${query}`)).status).toBe(400);
    }
  });

  it('shows one run as the contract says, and nothing of what ingest keeps for itself', async () => {
    const { body: run } = await stack.request(`/v1/runs/${good.body.id}`);
    expect(Object.keys(run).sort()).toEqual(
      [
        'attempt',
        'bytes',
        'checks',
        'created_at',
        'duplicate',
        'ended_at',
        'error',
        'features_written',
        'file_name',
        'id',
        'pipeline',
        'profile',
        'rows',
        'save_to_db',
        'sha256',
        'state',
        'steps',
      ].sort(),
    );
    expect(run.id).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(run.steps!.map((step) => [step.name, step.state])).toEqual(
      ['check_redis', 'receive', 'check', 'publish', 'aggregate', 'write'].map((name) => [name, 'done']),
    );
    expect(run.features_written).toBe(2);
    expect((await stack.request(`/v1/runs/${'0'.repeat(26)}`)).status).toBe(404);
    expect((await stack.request('/v1/runs/x/dead-letters')).status).toBe(404);
  });

  it('says of a refused run where it ended', async () => {
    const { body: run } = await stack.request(`/v1/runs/${refused.body.run}`);
    expect(run.steps!.find((step) => step.name === 'check')).toMatchObject({ state: 'failed' });
    expect(run.steps!.find((step) => step.name === 'publish')).toMatchObject({ state: 'skipped' });
  });

  it('reads dead letters by page, of accepted files and refused ones', async () => {
    expect(partly.body).toMatchObject({
      state: 'completed',
      rows: { read: 40, accepted: 37, rejected: 3, published: 37 },
    });
    const { items } = await letters(partly.body.id!);
    // The tenth record has a line break in it: lines run ahead of records from there on.
    expect(items.map(({ row, line, column, code }) => [row, line, column, code])).toEqual([
      [5, 6, 'capital_social', 'range'],
      [10, 11, 'cidade', 'length'],
      [15, 17, null, 'ragged'],
    ]);
    expect(items[0]).toMatchObject({ upload: partly.body.id, raw: company(4, '@formula', -5), raw_truncated: false });
    expect(Buffer.byteLength(items[1]!.raw)).toBeLessThanOrEqual(8 * 1024);
    expect(items[1]!.raw_truncated).toBe(true);
    const one = await letters(partly.body.id!, 'limit=1');
    const two = await letters(partly.body.id!, `limit=1&cursor=${one.next_cursor}`);
    const three = await letters(partly.body.id!, `limit=1&cursor=${two.next_cursor}`);
    expect([...one.items, ...two.items, ...three.items]).toEqual(items);
    expect(three.next_cursor).toBeNull();
    const ofRefused = await letters(refused.body.run as unknown as string);
    expect(ofRefused.items.map((letter) => [letter.row, letter.code])).toEqual([
      [1, 'range'],
      [2, 'type'],
    ]);
    expect((await letters(good.body.id!)).items).toEqual([]);
    expect((await stack.request(`/v1/runs/${good.body.id}/dead-letters?cursor=-1`)).status).toBe(400);
    expect(await stack.records(stack.topics().deadLetter)).toHaveLength(5);
  });

  it('gives them as CSV without formulas', async () => {
    const path = `/v1/runs/${refused.body.run}/dead-letters`;
    const answer = await stack.request(path, { headers: { accept: 'text/csv' } });
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const [header, ...rows] = answer.text.trimEnd().split('\r\n');
    expect(header).toBe('upload,row,line,column,code,message,raw,raw_truncated');
    expect(rows).toHaveLength(2);
    const formula = fileOf([`=cmd(),2023-01-01T00:00:00Z,x,SP,1,zu,viel`]);
    const { body } = await stack.upload(formula);
    const csv = (await stack.request(`/v1/runs/${body.run}/dead-letters`, { headers: { accept: 'text/csv' } })).text;
    expect(csv).toContain(`"'=cmd(),`);
  }, 60_000);

  it('is live, ready, and measured', async () => {
    expect((await stack.request('/health/live')).status).toBe(200);
    expect((await stack.request('/health/ready')).body).toEqual({ status: 'ok' });
    const { text, headers } = await stack.request('/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    const value = (line: RegExp) => Number(line.exec(text)?.[1] ?? Number.NaN);
    expect(value(/^caudal_rows_read_total\{.*pipeline="empresas".*\} (\d+)$/m)).toBeGreaterThanOrEqual(43);
    expect(value(/^caudal_rows_published_total\{.*\} (\d+)$/m)).toBe(38);
    expect(value(/^caudal_runs\{.*state="completed".*\} (\d+)$/m)).toBe(2);
    expect(value(/^caudal_bodies\{.*\} (\d+)$/m)).toBe(0);
    // Bodies of refused files are kept for a day: `retry` with force needs them.
    const kept = (await page('state=rejected')).items.reduce((sum, run) => sum + run.bytes, 0);
    expect(value(/^caudal_spool_bytes\{.*\} (\d+)$/m)).toBe(kept);
    expect(value(/^caudal_step_seconds_count\{.*step="write".*\} (\d+)$/m)).toBe(2);
  });

  it('logs what became of runs, and no cell of any file', async () => {
    const { log } = stack.service('ingest');
    for (const run of [good.body.id!, refused.body.run as unknown as string]) {
      const lines = log.split('\n').filter((line) => line.includes(run));
      expect(lines.map((line) => JSON.parse(line).state)).toContain(run === good.body.id ? 'completed' : 'rejected');
    }
    for (const service of stack.services) expect(service.log).not.toContain(MARKER);
  });
});
