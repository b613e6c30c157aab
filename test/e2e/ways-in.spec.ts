// The ways in besides uploads: files by name, the drop folder, schedules; and the same file once more.
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Run } from '#contracts';
import { pipelinesIn, salesFile, salesPipeline } from '../harness/sales.js';
import { sleep, Stack, until, type Service } from '../harness/stack.js';

describe('ways in', () => {
  let dir: string;
  let stack: Stack;
  let ingest: Service;
  let files: string;
  let inbox: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-ways-'));
    files = join(dir, 'data', 'files');
    inbox = join(dir, 'data', 'inbox', 'vendas');
    const everySecond = 'schedule: { cron: "* * * * * *", time_zone: America/Sao_Paulo, file: agenda/dia.csv }';
    const pipelinesDir = await pipelinesIn(dir, {
      vendas: salesPipeline('vendas'),
      agenda: salesPipeline('agenda', everySecond),
    });
    stack = await Stack.start({ pipelinesDir, env: { CAUDAL_DATA_DIR: join(dir, 'data') } });
    ingest = stack.service('ingest');
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const post = (path: string, body: unknown, type = 'application/json') =>
    stack.request(path, {
      method: 'POST',
      headers: { 'content-type': type },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const runs = async (query: string) => {
    const { body } = await stack.request(`/v1/runs?limit=1000&${query}`);
    return (body as unknown as { items: Run[] }).items;
  };
  const names = async (folder: string) => (await readdir(join(inbox, folder))).sort();
  const reportOf = async (folder: string, name: string) =>
    JSON.parse(await readFile(join(inbox, folder, `${name}.report.json`), 'utf8')) as Run & { duplicate: boolean };
  const moved = (name: string) =>
    until(`${name} to be moved`, async () => !(await readdir(inbox)).includes(name), 60_000);

  describe('POST /v1/runs', () => {
    const run = (file: unknown, more: object = {}) => post('/v1/runs', { pipeline: 'vendas', file, ...more });

    it('runs a file by its name, once', async () => {
      await mkdir(join(files, 'sub'), { recursive: true });
      await writeFile(join(files, 'sub', 'um.csv'), salesFile('Recife,1', 'Recife,2'));
      const { status, body, headers } = await run('sub/um.csv');
      expect([status, headers.get('location')]).toEqual([202, `/v1/runs/${body.id}`]);
      expect(body).toMatchObject({ pipeline: 'vendas', file_name: 'um.csv', save_to_db: true, duplicate: false });
      expect((await stack.ended(body.id!)).body).toMatchObject({ state: 'completed', rows: { published: 2 } });
      expect(await stack.hash('vendas:u:Recife')).toMatchObject({ vendas: '2', total: '3', _upload: body.id });
      const again = await run('sub/um.csv');
      expect([again.status, again.body.id, again.body.duplicate]).toEqual([200, body.id, true]);
      // An upload's bytes are known here, too.
      const sent = await stack.upload(salesFile('Recife,1', 'Recife,2'), { pipeline: 'vendas' });
      expect([sent.status, sent.body.id]).toEqual([200, body.id]);
    }, 60_000);

    it('unpacks gzip, and rehearses', async () => {
      await writeFile(join(files, 'dois.csv.gz'), gzipSync(salesFile('Olinda,5')));
      const { status, body } = await run('dois.csv.gz', { save_to_db: false });
      expect(status).toBe(202);
      const { body: ended } = await stack.ended(body.id!);
      expect(ended).toMatchObject({ state: 'completed', bytes: salesFile('Olinda,5').length, rows: { read: 1 } });
      expect(ended.result).toMatchObject({ ultimo: [{ features: { vendas: 1, total: '5' } }] });
      expect(await stack.hash('vendas:u:Olinda')).toEqual({});
    }, 60_000);

    it('refuses at once what is not a file of its folder', async () => {
      const outside = join(dir, 'fora.csv');
      await writeFile(outside, salesFile('Fora,1'));
      await symlink(outside, join(files, 'link.csv'));
      await symlink(join(files, 'sub'), join(files, 'pasta'));
      await symlink('/nowhere', join(files, 'solto.csv'));
      await writeFile(join(files, 'vazio.csv'), '');
      const expected: [unknown, number, string][] = [
        ['../fora.csv', 400, 'outside'],
        [outside, 400, 'outside'],
        ['../nenhum.csv', 400, 'outside'],
        ['link.csv', 400, 'outside'],
        ['.', 400, 'outside'],
        ['sub', 400, 'not_a_file'],
        ['nada.csv', 404, 'file_missing'],
        ['solto.csv', 404, 'file_missing'],
        ['vazio.csv', 400, 'empty_body'],
        ['um\u0000.csv', 400, 'bad_file'],
        [7, 400, 'bad_body'],
        [undefined, 400, 'bad_body'],
      ];
      for (const [file, status, code] of expected) {
        const answer = await run(file);
        expect([file, answer.status, answer.body.code]).toEqual([file, status, code]);
      }
      // A link that stays inside is a file like any other.
      expect((await run('pasta/um.csv')).status).toBe(200);
      expect((await run('sub/um.csv', { wait: 1 })).body.code).toBe('bad_body');
      expect((await post('/v1/runs', { pipeline: 'nenhum', file: 'x' })).status).toBe(404);
      expect((await post('/v1/runs', '{')).status).toBe(400);
      expect((await post('/v1/runs', '{}', 'text/csv')).status).toBe(415);
      expect((await runs('pipeline=vendas')).filter((one) => one.file_name === 'vazio.csv')).toEqual([]);
    }, 60_000);
  });

  describe('inbox', () => {
    it('takes files when they are whole, and moves them with a report', async () => {
      await writeFile(join(inbox, '.oculto.csv'), salesFile('Oculta,1'));
      await writeFile(join(inbox, 'parte.csv.tmp'), salesFile('Parte,1'));
      await writeFile(join(inbox, 'bom.csv'), salesFile('Natal,1'));
      await writeFile(join(inbox, 'ruim.csv'), salesFile('Natal,-1', 'Natal,-2'));
      await writeFile(join(inbox, 'vazio.csv'), '');
      await writeFile(join(inbox, 'zip.csv.gz'), gzipSync(salesFile('Caruaru,2')));
      await symlink(join(dir, 'fora.csv'), join(inbox, 'link.csv'));
      // Grows while it is watched: half of it is never taken.
      const lines = ['Maceio,1', 'Maceio,2', 'Maceio,3'];
      for (let n = 1; n <= lines.length; n++) {
        await writeFile(join(inbox, 'cresce.csv'), salesFile(...lines.slice(0, n)));
        await sleep(1_500);
      }
      for (const name of ['bom.csv', 'ruim.csv', 'vazio.csv', 'zip.csv.gz', 'link.csv', 'cresce.csv'])
        await moved(name);
      expect((await names('done')).filter((name) => !name.endsWith('.json'))).toEqual([
        'bom.csv',
        'cresce.csv',
        'zip.csv.gz',
      ]);
      expect((await names('refused')).filter((name) => !name.endsWith('.json'))).toEqual([
        'link.csv',
        'ruim.csv',
        'vazio.csv',
      ]);
      expect(await reportOf('done', 'bom.csv')).toMatchObject({
        state: 'completed',
        rows: { published: 1 },
        duplicate: false,
      });
      expect(await reportOf('done', 'cresce.csv')).toMatchObject({ state: 'completed', rows: { published: 3 } });
      expect(await reportOf('refused', 'ruim.csv')).toMatchObject({
        state: 'rejected',
        error: { code: 'checks_failed' },
      });
      expect(await reportOf('refused', 'vazio.csv')).toMatchObject({ error: { code: 'empty_body' } });
      expect(await reportOf('refused', 'link.csv')).toMatchObject({ error: { code: 'outside' } });
      expect((await readdir(inbox)).sort()).toEqual(['.oculto.csv', 'done', 'parte.csv.tmp', 'refused']);
      expect(await stack.hash('vendas:u:Caruaru')).toMatchObject({ vendas: '1' });
      // The writer is done: its name says so now.
      await rename(join(inbox, 'parte.csv.tmp'), join(inbox, 'bom.csv'));
      await moved('bom.csv');
      const twice = (await names('done')).filter((name) => /^bom\..+\.csv$/.test(name));
      expect(twice).toHaveLength(1);
      expect(await reportOf('done', twice[0]!)).toMatchObject({ state: 'completed' });
    }, 120_000);

    it('kill -9 with files in it: each is processed once', async () => {
      const before = (await runs('pipeline=vendas')).length;
      const count = 12;
      for (let n = 0; n < count; n++) await writeFile(join(inbox, `k${n}.csv`), salesFile(`Kill,${n}`));
      await until('the first of them', async () => (await runs('pipeline=vendas')).length > before, 30_000);
      await ingest.kill();
      ingest.start();
      await ingest.ready();
      for (let n = 0; n < count; n++) await moved(`k${n}.csv`);
      const reports = await Promise.all(Array.from({ length: count }, (_, n) => reportOf('done', `k${n}.csv`)));
      expect(reports.map((report) => report.state)).toEqual(reports.map(() => 'completed'));
      expect(new Set(reports.map((report) => report.id)).size).toBe(count);
      expect(await stack.hash('vendas:t:Kill')).toMatchObject({ vendas: String(count), total: '66' });
    }, 120_000);
  });

  describe('schedule', () => {
    const ofState = async (state: string) => runs(`pipeline=agenda&state=${state}`);

    it('says that its file is missing, runs it when it is there, and once for what was missed', async () => {
      const failed = await until('a failed run', async () => (await ofState('failed')).at(-1));
      expect(failed).toMatchObject({ file_name: 'dia.csv', error: { code: 'file_missing' } });
      await mkdir(join(files, 'agenda'), { recursive: true });
      await writeFile(join(files, 'agenda', 'novo'), salesFile('Agenda,1'));
      await rename(join(files, 'agenda', 'novo'), join(files, 'agenda', 'dia.csv'));
      await until('a completed run', async () => (await ofState('completed')).length === 1);
      // Its time comes again every second; its bytes are known.
      await sleep(3_000);
      expect(await ofState('completed')).toHaveLength(1);
      const failures = (await ofState('failed')).length;
      await ingest.kill('SIGTERM');
      await rm(join(files, 'agenda', 'dia.csv'));
      await sleep(4_000);
      ingest.start();
      await ingest.ready();
      // All that was missed is one run, which fails; then its times go on.
      await until('the missed time', async () => (await ofState('failed')).length > failures);
      await writeFile(join(files, 'agenda', 'novo'), salesFile('Agenda,1', 'Agenda,2'));
      await rename(join(files, 'agenda', 'novo'), join(files, 'agenda', 'dia.csv'));
      await until('another completed run', async () => (await ofState('completed')).length === 2);
      expect(await stack.hash('agenda:t:Agenda')).toMatchObject({ vendas: '3' });
    }, 120_000);
  });

  describe('again=true', () => {
    it('processes a known file once more as a new run, and says what that does', async () => {
      const file = salesFile('Bis,10');
      const first = await stack.upload(file, { pipeline: 'vendas' });
      const known = await stack.upload(file, { pipeline: 'vendas' });
      expect([known.body.id, known.body.again]).toEqual([first.body.id, undefined]);
      const again = await stack.upload(file, { pipeline: 'vendas', query: 'wait=60&again=true&reason=reprocessar' });
      expect(again.status).toBe(200);
      expect(again.body.id).not.toBe(first.body.id);
      expect(again.body).toMatchObject({
        duplicate: false,
        state: 'completed',
        again: { of: first.body.id, reason: 'reprocessar', counts_again_in: ['sempre'] },
      });
      expect(await stack.hash('vendas:t:Bis')).toMatchObject({ vendas: '2', total: '20' });
      expect(await stack.hash('vendas:u:Bis')).toMatchObject({ vendas: '1', _upload: again.body.id });
      // The earlier run is still the one that the bytes are known by.
      expect((await stack.upload(file, { pipeline: 'vendas' })).body.id).toBe(first.body.id);
      for (const query of ['again=yes', 'reason=x', 'again=true&reason=%0a', 'again=true&again=true']) {
        expect((await stack.upload(file, { pipeline: 'vendas', query })).status).toBe(400);
      }
    }, 60_000);
  });
});
