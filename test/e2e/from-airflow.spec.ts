// docs/from-airflow.md, run exactly as it stands: its files are laid where it says, its commands are given to a shell.
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Stack, until } from '../harness/stack.js';

interface Block {
  language: string;
  /** What stands behind the language: a file's path, or `exit N`. */
  about: string;
  text: string;
}

function blocksOf(page: string): Block[] {
  const found = [...page.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm)];
  return found.map(([, language, about, text]) => ({ language: language!, about: about!.trim(), text: text! }));
}

describe('docs/from-airflow.md', () => {
  let stack: Stack;
  let dir = '';
  let blocks: Block[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-airflow-'));
    blocks = blocksOf(await readFile('docs/from-airflow.md', 'utf8'));
    for (const { about, text } of blocks.filter(({ language }) => language !== 'sh')) {
      await mkdir(join(dir, dirname(about)), { recursive: true });
      await writeFile(join(dir, about), text);
    }
    await mkdir(join(dir, 'bin'));
    const command = `#!/bin/sh\nexec '${process.execPath}' '${resolve('bin/caudal.mjs')}' "$@"\n`;
    await writeFile(join(dir, 'bin', 'caudal'), command);
    await chmod(join(dir, 'bin', 'caudal'), 0o755);
    const env = { CAUDAL_DATA_DIR: join(dir, 'data') };
    stack = await Stack.start({ partitions: 2, pipelinesDir: join(dir, 'pipelines'), env });
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  /** Answers the exit code and all output. */
  function shell(text: string): Promise<{ code: number; output: string }> {
    const PATH = `${join(dir, 'bin')}:${process.env.PATH}`;
    const env = { ...process.env, PATH, NODE_OPTIONS: '', CAUDAL_URL: stack.url };
    return new Promise((done) => {
      execFile('bash', ['-euc', text], { cwd: dir, env }, (error, stdout, stderr) => {
        done({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` });
      });
    });
  }

  it('has commands that end as it says', async () => {
    const commands = blocks.filter(({ language }) => language === 'sh');
    expect(commands.length).toBeGreaterThanOrEqual(3);
    for (const { about, text } of commands) {
      const expected = about === '' ? 0 : Number(about.replace('exit ', ''));
      const { code, output } = await shell(text);
      expect({ text, code, output }).toEqual({ text, code: expected, output });
    }
  }, 120_000);

  it('leaves in Redis what it says', async () => {
    expect(await stack.hash('São Paulo')).toMatchObject({
      quantidade_empresas: '2',
      capital_social_medio: '65000',
      capital_social_total: '130000',
    });
    expect(await stack.hash('item:i1')).toMatchObject({ nota_media: '4.5' });
    const { output } = await shell('caudal runs --state rejected --json');
    expect(JSON.parse(output)).toMatchObject({ pipeline: 'interacoes', error: { code: 'checks_failed' } });
  }, 60_000);

  it('takes the file from the inbox too', async () => {
    await shell(`mkdir -p data/inbox/empresas-diario
      sed 's/50000.00/50000.01/' data/files/novas_empresas.csv > data/inbox/empresas-diario/novas.csv`);
    await until('the total of São Paulo to be the new one', async () => {
      return (await stack.hash('São Paulo')).capital_social_total === '130000.01';
    });
  }, 90_000);
});
