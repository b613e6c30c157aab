// The caudal command as a person and a script call it: results on stdout, complaints on stderr, exit codes 0, 1 and 2.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { companies } from '../harness/companies.js';
import { Stack, until } from '../harness/stack.js';

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

describe('caudal', () => {
  let stack: Stack;
  let dir = '';
  const example = 'examples/novas_empresas.csv';
  const header = 'cnpj,data_abertura,cidade,estado,capital_social\n';

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-cli-'));
    stack = await Stack.start({ partitions: 2, nodeArgs: { ingest: ['--import', './test/harness/slow-commits.mjs'] } });
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const caudal = (...args: string[]): Promise<Ended> => caudalIn({ CAUDAL_URL: stack.url }, ...args);

  function caudalIn(settings: Record<string, string>, ...args: string[]): Promise<Ended> {
    const env = { ...process.env, NODE_OPTIONS: '', ...settings };
    return new Promise((resolve) => {
      execFile(process.execPath, ['bin/caudal.mjs', ...args], { env }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : (error.code as unknown as number), stdout, stderr });
      });
    });
  }
  const documents = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, never>);
  const file = async (name: string, content: string | Buffer): Promise<string> => {
    await writeFile(join(dir, name), content);
    return join(dir, name);
  };

  it('ingest --wait: 0 when the features are in Redis; the same bytes once more are known', async () => {
    const first = await caudal('ingest', example, '--pipeline', 'empresas', '--wait');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/completed: 6 rows accepted, 0 rejected, \d+ features written/);
    expect(await stack.hash('São Paulo')).toMatchObject({ quantidade_empresas: '3' });
    const again = await caudal('ingest', example, '-p', 'empresas', '--wait', '--json');
    expect(again.code).toBe(0);
    expect(documents(again.stdout)).toEqual([
      expect.objectContaining({ file: example, duplicate: true, state: 'completed', file_name: 'novas_empresas.csv' }),
    ]);
  }, 60_000);

  it('ingest without --wait ends when the checks have passed; several files go in the order of their names', async () => {
    const rows = (at: number) => `${header}${at},2023-01-10T09:00:00Z,Recife,PE,${at}\n`;
    const names = await Promise.all([
      file('b.csv', rows(2)),
      file('a.csv.gz', gzipSync(rows(1))),
      file('c.csv', rows(3)),
    ]);
    const sent = await caudal('ingest', ...names, '-p', 'empresas', '--json');
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    const runs = documents(sent.stdout);
    expect(runs.map((run) => run.file_name)).toEqual(['a.csv.gz', 'b.csv', 'c.csv']);
    await stack.ended(runs[2]!.id!);
    expect(await stack.hash('Recife')).toMatchObject({ capital_social_total: '3' });
  }, 60_000);

  it('ingest --no-save says what would change and writes nothing', async () => {
    const name = await file('rehearse.csv', `${header}9,2023-01-10T09:00:00Z,São Paulo,SP,7\n`);
    const told = await caudal('ingest', name, '-p', 'empresas', '--no-save');
    expect(told.code).toBe(0);
    expect(told.stdout).toContain('empresas_por_cidade: 0 groups added, 1 changed');
    expect(told.stdout).toMatch(/São Paulo\s+capital_social_total\s+195000\s+7\n/);
    expect(await stack.hash('São Paulo')).toMatchObject({ capital_social_total: '195000' });
  }, 60_000);

  it('ingest: 1 when a file is refused, with the reason; the others are taken all the same', async () => {
    const bad = await file('1-bad.csv', 'cnpj,cidade\n1,Recife\n');
    const good = await file('2-good.csv', `${header}8,2023-01-10T09:00:00Z,Natal,RN,8\n`);
    const sent = await caudal('ingest', good, bad, '-p', 'empresas', '--wait');
    expect(sent.code).toBe(1);
    expect(sent.stdout).toMatch(/1-bad\.csv: rejected: .*header_mismatch/);
    expect(sent.stderr).toBe('caudal: 1 file was not taken in\n');
    expect(await stack.hash('Natal')).toMatchObject({ quantidade_empresas: '1' });
  }, 60_000);

  it('runs, run and dead-letters show what became of files', async () => {
    const rows = Array.from({ length: 20 }, (_, at) => `${at},2023-01-10T09:00:00Z,Belém,PA,1\n`).join('');
    const name = await file('rejects.csv', `${header}${rows}x,2023-01-10T09:00:00Z,Belém,XX,1\n`);
    const sent = documents((await caudal('ingest', name, '-p', 'empresas', '--wait', '--json')).stdout)[0]!;
    const listed = await caudal('runs', '--json', '--limit', '2');
    expect(documents(listed.stdout).map((run) => run.id)).toHaveLength(2);
    expect(documents(listed.stdout)[0]!.id).toBe(sent.id);
    expect((await caudal('runs', '-s', 'rejected')).stdout).toContain('1-bad.csv');
    const shown = await caudal('run', sent.id!);
    expect(shown.stdout).toMatch(/rejects\.csv, \d+ B/);
    expect(shown.stdout).toMatch(/publish\s+done/);
    const letters = await caudal('dead-letters', sent.id!, '--json');
    expect(documents(letters.stdout)).toEqual([expect.objectContaining({ row: 21, code: 'domain', column: 'estado' })]);
    const csv = await caudal('dead-letters', sent.id!, '--csv');
    expect(csv.stdout.split('\r\n')[1]).toContain(',21,22,estado,domain,');
  }, 60_000);

  it('dry-run needs no services: verdicts, rejections and features of the file alone', async () => {
    const nobody = { CAUDAL_URL: 'http://127.0.0.1:9', KAFKA_BROKERS: '', REDIS_URL: '' };
    const told = await caudalIn(nobody, 'dry-run', example, '-p', 'empresas');
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(told.stdout).toMatch(/São Paulo\s+3\s+65000\s+195000\n/);
    const rows = Array.from({ length: 3 }, (_, at) => `${at},2023-01-10T09:00:00Z,Belém,PA,1\n`).join('');
    const name = await file('dry.csv.gz', gzipSync(`${header}${rows}x,2023-01-10T09:00:00Z,Belém,XX,1\n`));
    const refused = await caudalIn(nobody, 'dry-run', name, '-p', 'pipelines/empresas.yaml', '--json');
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stderr).error).toContain('1 of 4 records were rejected');
    const [found] = documents(refused.stdout);
    expect(found).toMatchObject({ rows: { read: 4, accepted: 3 }, rejected: { domain: 1 } });
    const [group] = (found as unknown as { result: Record<string, unknown[]> }).result.empresas_por_cidade!;
    expect(group).toMatchObject({ key: { cidade: 'Belém' }, features: { capital_social_total: '3' } });
  }, 60_000);

  it('validate points at each problem', async () => {
    expect(await caudal('validate', 'pipelines/empresas.yaml')).toMatchObject({ code: 0, stderr: '' });
    const name = await file(
      'vendas.yaml',
      'name: vendas\nsource:\n  columns:\n    valor: { type: dezimal }\nviews: {}\n',
    );
    const told = await caudal('validate', name);
    expect(told.code).toBe(1);
    const line = '4 |     valor: { type: dezimal }';
    expect(told.stdout).toContain(`${name}:4:20: source.columns.valor.type: must be one of`);
    expect(told.stdout).toContain(`${line}\n${' '.repeat(line.indexOf('dezimal'))}^\n`);
    const machine = documents((await caudal('validate', name, '--json')).stdout)[0]!;
    expect(machine).toMatchObject({ valid: false });
  }, 60_000);

  it('retry forces a refused file through, run --follow waits for it, cancel says why not', async () => {
    const rows = `1,2023-01-10T09:00:00Z,Manaus,AM,5\n2,2023-01-10T09:00:00Z,Manaus,XX,5\n`;
    const name = await file('half-bad.csv', `${header}${rows}`);
    const [refused] = documents((await caudal('ingest', name, '-p', 'empresas', '--json')).stdout);
    const id = (refused as unknown as { run: string }).run;
    expect(await caudal('run', id, '--follow')).toMatchObject({ code: 1 });
    const cancelled = await caudal('cancel', id);
    expect(cancelled).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('already_ended') });
    const reason = ['--reason', 'half of it is better than nothing'];
    expect(await caudal('retry', id)).toMatchObject({ code: 1 });
    expect(await caudal('retry', id, '--force', ...reason)).toMatchObject({ code: 0, stderr: '' });
    const followed = await caudal('run', id, '--follow');
    expect(followed).toMatchObject({ code: 0, stderr: '' });
    expect(followed.stdout).toContain('completed: 1 rows accepted, 1 rejected');
    expect(await stack.hash('Manaus')).toMatchObject({ quantidade_empresas: '1' });
  }, 60_000);

  it('cancel takes a run out of the line; run --follow goes on when ingest is killed and started again', async () => {
    const long = await stack.upload(companies(120_000, 5, 'longa'), { query: '' });
    const waiting = await stack.upload(companies(1, 1, 'espera'), { query: '' });
    const cancelled = await caudal('cancel', waiting.body.id!);
    expect(cancelled).toMatchObject({ code: 0, stdout: `run ${waiting.body.id}: cancelled\n`, stderr: '' });
    const args = ['bin/caudal.mjs', 'run', long.body.id!, '--follow', '--url', stack.url];
    const following = spawn(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } });
    let [stdout, stderr] = ['', ''];
    following.stdout.on('data', (text: Buffer) => (stdout += String(text)));
    following.stderr.on('data', (text: Buffer) => (stderr += String(text)));
    const ended = new Promise((resolve) => following.once('close', resolve));
    await until('it to watch', () => stdout.includes('progress '));
    const ingest = stack.service('ingest');
    await ingest.kill();
    ingest.start();
    expect([await ended, stderr]).toEqual([0, 'the connection broke off: waiting for ingest\n']);
    expect(stdout).toContain('completed: 120000 rows accepted, 0 rejected');
  }, 120_000);

  it('reset empties a pipeline, and says why it does not', async () => {
    expect(await caudal('reset', 'nada')).toMatchObject({ code: 1, stdout: '' });
    expect(await stack.hash('São Paulo')).toMatchObject({ quantidade_empresas: '3' });
    const told = await caudal('reset', 'empresas', '--replay');
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(told.stdout).toContain('pipeline empresas is being reset: ');
    await until('the replayed rows to be counted', async () => {
      return (await stack.hash('São Paulo')).quantidade_empresas === '3';
    });
    expect(documents((await caudal('reset', 'empresas', '--json')).stdout)).toHaveLength(1);
    await until('the hash to be gone', async () => Object.keys(await stack.hash('São Paulo')).length === 0);
  }, 120_000);

  it('start brings the services up and ends with a signal', async () => {
    const settings = { CAUDAL_STATE_DIR: join(dir, 'state'), CAUDAL_TOPIC_PREFIX: `${stack.prefix}.started` };
    const env = { ...process.env, NODE_OPTIONS: '', ...settings };
    const started = spawn(process.execPath, ['bin/caudal.mjs', '--json', 'start', '--empty'], { env });
    let output = '';
    let result = '';
    started.stderr.on('data', (text: Buffer) => (output += String(text)));
    started.stdout.on('data', (text: Buffer) => (result += String(text)));
    const ended = new Promise((resolve) => started.once('exit', resolve));
    try {
      await until('it to be up', () => result !== '', 90_000);
      const url = String(documents(result)[0]!.url);
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);
      await until('it to be said', () => output.includes(`Caudal is up: ${url}`));
    } finally {
      started.kill('SIGTERM');
    }
    expect(await ended).toBe(0);
    expect(output).toContain('Stopping ...');
  }, 150_000);

  it.each([
    ['no command', []],
    ['an unknown command', ['ingestt']],
    ['an unknown option', ['runs', '--colour']],
    ['no pipeline', ['ingest', example]],
    ['a file that is not there', ['ingest', 'nowhere.csv', '-p', 'empresas']],
    ['a folder', ['ingest', 'examples', '-p', 'empresas']],
    ['an unknown state', ['runs', '-s', 'done']],
    ['force without a reason', ['retry', '01JBX3M5ZJ4V0Z3W8Q5T7R9N2K', '--force']],
    ['a limit that is none', ['runs', '-n', 'many']],
    ['a pipeline file that is not there', ['validate', 'nowhere.yaml']],
    ['a pipeline that is not there', ['dry-run', example, '-p', 'nowhere']],
  ])('wrong use is 2: %s', async (_, args) => {
    const { code, stdout, stderr } = await caudal(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toBe('');
  });

  it('1 with the way out when nobody answers, as JSON for machines', async () => {
    const nobody = ['--url', 'http://127.0.0.1:9'];
    const told = await caudal('run', '01JBX3M5ZJ4V0Z3W8Q5T7R9N2K', ...nobody);
    expect(told).toMatchObject({ code: 1, stdout: '' });
    expect(told.stderr).toContain('caudal start');
    const machine = await caudal('run', '01JBX3M5ZJ4V0Z3W8Q5T7R9N2K', ...nobody, '--json');
    expect(JSON.parse(machine.stderr)).toMatchObject({ code: 'unreachable' });
    expect(await caudal('run', '01JBX3M5ZJ4V0Z3W8Q5T7R9N2K', '--json')).toMatchObject({ code: 1 });
  });
});
