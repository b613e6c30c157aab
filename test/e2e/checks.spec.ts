// Nothing bad gets through: files that differ from the ones before are refused by the name of the check, the features in
// Redis stay the last good ones, and what files are compared with survives a restart.
import { rm, writeFile, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckResult } from '#contracts';
import { shops, shopsFile, shopsFolder } from '../harness/checked-files.js';
import { Stack, type HttpAnswer } from '../harness/stack.js';

const ROWS = 400;
const DAY_MS = 86_400_000;
const yesterday = Date.now() - DAY_MS;

describe('checks', () => {
  let stack: Stack;
  let pipelinesDir: string;
  let first: HttpAnswer;
  const upload = (file: string, query = 'wait=120') => stack.upload(file, { pipeline: 'lojas', query });
  const verdicts = (checks: unknown) =>
    Object.fromEntries((checks as CheckResult[]).map(({ name, verdict }) => [name, verdict]));
  /** Refused by these checks alone; nothing of the file is in rows or Redis. */
  const expectRefused = async (file: string, ...names: string[]) => {
    const before = [await stack.hash('lojas:cidade 0'), (await stack.rows('lojas')).length];
    const answer = await upload(file);
    expect([answer.status, answer.body]).toEqual([
      422,
      expect.objectContaining({ code: 'checks_failed', failed_checks: names, run: expect.any(String) }),
    ]);
    const { body: run } = await stack.request(`/v1/runs/${answer.body.run}`);
    expect(run).toMatchObject({ state: 'rejected', rows: { published: 0 } });
    const failed = run.checks!.filter(({ verdict, severity }) => verdict === 'fail' && severity === 'error');
    expect(failed.map(({ name }) => name)).toEqual(names);
    for (const { reason } of failed) expect(reason).toEqual(expect.any(String));
    expect([await stack.hash('lojas:cidade 0'), (await stack.rows('lojas')).length]).toEqual(before);
    return run;
  };

  beforeAll(async () => {
    pipelinesDir = await shopsFolder();
    stack = await Stack.start({ pipelinesDir });
    first = await upload(shopsFile(shops(ROWS, 1, yesterday)));
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(pipelinesDir, { recursive: true, force: true });
  }, 60_000);

  it('passes a first file without a reference, and says so', () => {
    expect([first.status, first.body.state]).toEqual([200, 'completed']);
    expect(verdicts(first.body.checks)).toEqual({
      header: 'pass',
      max_error_fraction: 'pass',
      colunas: 'no_reference',
      estados: 'pass',
      como_antes: 'no_reference',
      capital_igual: 'no_reference',
      estavel: 'no_reference',
      recentes: 'pass',
      muitas: 'fail',
      por_cidade: 'pass',
    });
  });

  it('shows the profile of the single run', async () => {
    const { body } = await stack.request(`/v1/runs/${first.body.id}`);
    expect(body).toMatchObject({
      profile: {
        rows: ROWS,
        columns: {
          estado: { type: 'string', type_seen: 'string', count: ROWS, nulls: 0, distinct: 3 },
          cnpj: { type: 'string', type_seen: 'integer', count: ROWS },
          capital: { type: 'decimal', count: ROWS, mean: expect.any(Number), histogram: expect.any(Array) },
        },
      },
    });
    expect((await stack.request('/v1/runs?pipeline=lojas')).text).not.toContain('"profile"');
  });

  it('takes a file like the one before; a failing warning is recorded and refuses nothing', async () => {
    const { status, body } = await upload(shopsFile(shops(ROWS + 7, 2, yesterday)));
    expect(status).toBe(200);
    const found = verdicts(body.checks);
    expect(found).toMatchObject({ colunas: 'pass', como_antes: 'pass', capital_igual: 'pass', estavel: 'pass' });
    const warned = body.checks!.find(({ name }) => name === 'muitas');
    expect(warned).toMatchObject({ severity: 'warn', verdict: 'fail', observed: ROWS + 7 });
  });

  it('refuses one shifted column by name', async () => {
    const shifted = shops(ROWS, 3, yesterday).map((shop) => ({ ...shop, estado: shop.cidade }));
    await expectRefused(shopsFile(shifted), 'estados');
  });

  it('refuses a drifted distribution by name', async () => {
    const drifted = shops(ROWS, 4, yesterday).map((shop, n) => ({ ...shop, capital: String(900 + (n % 100)) }));
    await expectRefused(shopsFile(drifted), 'capital_igual');
  });

  it('refuses half the usual rows by name, also after ingest has been restarted', async () => {
    await expectRefused(shopsFile(shops(ROWS / 2, 5, yesterday)), 'como_antes');
    const ingest = stack.service('ingest');
    await ingest.kill('SIGKILL');
    ingest.start();
    await ingest.ready();
    const run = await expectRefused(shopsFile(shops(ROWS / 2, 6, yesterday)), 'como_antes');
    expect(run.checks!.find(({ name }) => name === 'como_antes')).toMatchObject({
      observed: ROWS / 2,
      expected: expect.stringContaining(String(ROWS + 7)),
    });
  }, 60_000);

  it('refuses a file without rows of the days that `where` asks for', async () => {
    await expectRefused(shopsFile(shops(ROWS, 7, yesterday - 30 * DAY_MS)), 'recentes');
  });

  it('refuses by the features that the file would give', async () => {
    const crowded = shops(ROWS, 8, yesterday).map((shop) => ({ ...shop, cidade: 'cidade 0' }));
    await expectRefused(shopsFile(crowded), 'por_cidade');
  });

  it('answers a rehearsal of a file that would be refused with the verdicts, and takes none for a reference', async () => {
    const half = shopsFile(shops(ROWS / 2, 9, yesterday));
    for (const query of ['save_to_db=false&wait=60', 'save_to_db=false']) {
      const { status, body } = await upload(half, query);
      expect([status, body]).toEqual([422, expect.objectContaining({ failed_checks: ['como_antes'] })]);
      expect(verdicts(body.checks)).toMatchObject({ como_antes: 'fail', estados: 'pass' });
    }
    const good = await upload(shopsFile(shops(ROWS * 1.5, 10, yesterday)), 'save_to_db=false&wait=60');
    expect([good.status, good.body.state]).toEqual([200, 'completed']);
    expect(good.body).toHaveProperty('diff');
    const { body } = await upload(shopsFile(shops(ROWS * 0.7, 11, yesterday)));
    expect([body.state, verdicts(body.checks)]).toEqual(['completed', expect.objectContaining({ como_antes: 'pass' })]);
  }, 60_000);

  it('publishes a refused file when it is forced; accepted then, it is what the next file is compared with', async () => {
    const small = shops(ROWS / 4, 12, yesterday);
    const refused = await expectRefused(shopsFile(small), 'como_antes');
    const { status } = await stack.request(`/v1/runs/${refused.id}/retry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ force: true, reason: 'feriado' }),
    });
    expect(status).toBe(202);
    const { body: run } = await stack.ended(refused.id!);
    expect(run).toMatchObject({ state: 'completed', forced: { reason: 'feriado' }, rows: { published: ROWS / 4 } });
    expect(verdicts(run.checks)).toMatchObject({ como_antes: 'fail' });
    expect(await stack.hash('lojas:cidade 0')).toMatchObject({ lojas: String(ROWS / 16), _upload: refused.id });
    const next = await upload(shopsFile(shops(ROWS / 4, 13, yesterday)));
    expect([next.status, verdicts(next.body.checks)]).toEqual([200, expect.objectContaining({ como_antes: 'pass' })]);
  }, 60_000);
});

describe('references by name', () => {
  it('compares with a file of the data folder and with an upload', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'caudal-data-'));
    await mkdir(join(dataDir, 'files'));
    await writeFile(join(dataDir, 'files', 'modelo.csv'), shopsFile(shops(100, 1, yesterday)));
    const pipelinesDir = await shopsFolder(`
  - { name: como_modelo, type: row_count_change, min_fraction: 0.9, reference: { file: modelo.csv } }
  - { name: sem_arquivo, type: row_count_change, min_fraction: 0.9, reference: { file: ../modelo.csv }, severity: warn, on_missing_reference: fail }
  - { name: ha_uma_semana, type: interval_check, metrics_thresholds: { "count()": 2 }, days_back: -7 }
  - { name: como_airflow, type: interval_check, metrics_thresholds: { "count()": 2 }, semantics: airflow, severity: warn }
`);
    const stack = await Stack.start({ pipelinesDir, env: { CAUDAL_DATA_DIR: dataDir } });
    try {
      const upload = (count: number, seed: number) =>
        stack.upload(shopsFile(shops(count, seed, yesterday)), { pipeline: 'lojas' });
      const good = await upload(95, 2);
      const found = Object.fromEntries(good.body.checks!.map(({ name, verdict, reason }) => [name, [verdict, reason]]));
      expect(found).toMatchObject({
        como_modelo: ['pass', null],
        sem_arquivo: ['fail', expect.stringContaining('../modelo.csv')],
        ha_uma_semana: ['no_reference', expect.stringContaining('no accepted upload of')],
        como_airflow: ['fail', expect.stringContaining('no accepted upload of')],
      });
      const bad = await upload(80, 3);
      expect([bad.status, bad.body]).toEqual([422, expect.objectContaining({ failed_checks: ['como_modelo'] })]);
    } finally {
      await stack.stop();
      await rm(dataDir, { recursive: true });
      await rm(pipelinesDir, { recursive: true });
    }
  }, 120_000);
});
