// `npm pack` gives a package whose `caudal` works in any folder, on whatever Node >= 20.19 is there.
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { Stack } from '../harness/stack.js';

const exec = promisify(execFile);

describe('the packed package', () => {
  let stack: Stack;
  let dir = '';
  // Not this project's npm: what it says of this run may not reach the other one.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_(?!config_)/.test(name));
  const env = { ...Object.fromEntries(inherited), NODE_OPTIONS: '', npm_config_prefer_offline: 'true' };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-packed-'));
    const { stdout } = await exec('npm', ['pack', '--silent', '--pack-destination', dir], { env });
    await mkdir(join(dir, 'elsewhere'));
    await writeFile(join(dir, 'elsewhere', 'package.json'), '{ "private": true }');
    const args = ['install', '--no-audit', '--no-fund', join(dir, basename(stdout.trim()))];
    await exec('npm', args, { cwd: join(dir, 'elsewhere'), env });
    await copyFile('examples/novas_empresas.csv', join(dir, 'elsewhere', 'mine.csv'));
    stack = await Stack.start({ partitions: 1 });
  }, 240_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const caudal = (...args: string[]) =>
    exec('npx', ['caudal', ...args], { cwd: join(dir, 'elsewhere'), env: { ...env, CAUDAL_URL: stack.url } });

  it('has the command, the pipelines and the example', async () => {
    const { stdout } = await caudal('validate', 'node_modules/caudal/pipelines/empresas.yaml');
    expect(stdout).toContain('valid');
    const { stdout: version } = await caudal('--version');
    expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
  }, 60_000);

  it('takes a file of the folder in', async () => {
    const { stdout } = await caudal('ingest', 'mine.csv', '--pipeline', 'empresas', '--wait');
    expect(stdout).toContain('completed: 6 rows accepted');
    expect(await stack.hash('Belo Horizonte')).toMatchObject({ quantidade_empresas: '1' });
  }, 60_000);
});
