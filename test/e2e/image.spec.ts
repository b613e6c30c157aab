// The container image without Docker: a clean folder gets what the Dockerfile's last stage copies and installs, nothing
// else, and its own CMD and HEALTHCHECK run there, on the test run's Kafka and Redis.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { KafkaClient } from '#kafka';
import { freePort } from '../../scripts/ports.mjs';
import { ImageFile } from '../harness/dockerfile.js';
import { until } from '../harness/stack.js';

const exec = promisify(execFile);
const image = new ImageFile();
const prefix = `image-${Math.random().toString(36).slice(2, 10)}`;
const portVariables = {
  ingest: 'CAUDAL_PORT',
  aggregator: 'CAUDAL_AGGREGATOR_PORT',
  'feature-writer': 'CAUDAL_WRITER_PORT',
} as const;
type ServiceName = keyof typeof portVariables;
const names = Object.keys(portVariables) as ServiceName[];
// The Node of this test run stands for the image's; nothing else of the repository can be reached.
const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);

let dir = '';
const app = (): string => join(dir, 'app');
const ports = new Map<ServiceName, number>();
const children = new Map<ServiceName, ChildProcess>();
const output = new Map<ServiceName, string>();

/** Runs what the stage `dependencies` does and gives its node_modules to the app. */
async function installPackages(): Promise<void> {
  const stage = image.stage('dependencies');
  const folder = join(dir, 'dependencies');
  await mkdir(folder);
  for (const { text } of image.all(stage, 'COPY')) {
    for (const file of text.split(' ').slice(0, -1)) await cp(file, join(folder, basename(file)));
  }
  const settings = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('npm_') || name.startsWith('npm_config_'),
  );
  const env = { ...Object.fromEntries(settings), PATH, NODE_OPTIONS: '', npm_config_prefer_offline: 'true' };
  for (const { text } of image.all(stage, 'RUN')) await exec('sh', ['-c', text], { cwd: folder, env });
  await rename(join(folder, 'node_modules'), join(app(), 'node_modules'));
}

async function makeApp(): Promise<void> {
  await mkdir(app());
  for (const { flags, text } of image.all(image.final, 'COPY')) {
    const [source = '', target = ''] = text.split(' ');
    if (flags.from === 'dependencies') await installPackages();
    else if (flags.from === 'build') await cp(basename(source), join(app(), target), { recursive: true });
    else await cp(source, join(app(), target.replace('./', basename(source))), { recursive: true });
  }
}

function environment(name: ServiceName, port: number): Record<string, string> {
  const redisUrl = new URL(process.env.REDIS_URL!);
  redisUrl.pathname = `/${1 + (Number(process.env.JEST_WORKER_ID ?? 1) % 12)}`;
  return {
    PATH,
    ...image.environment,
    SERVICE: name,
    KAFKA_BROKERS: process.env.KAFKA_BROKERS!,
    REDIS_URL: redisUrl.href,
    CAUDAL_TOPIC_PREFIX: prefix,
    CAUDAL_STATE_DIR: join(dir, 'state'),
    [portVariables[name]]: String(port),
  };
}

function start(name: ServiceName): void {
  const [command = '', ...args] = image.words('CMD');
  const child = spawn(command, args, { cwd: app(), env: environment(name, ports.get(name)!), stdio: 'pipe' });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => output.set(name, (output.get(name) ?? '') + chunk.toString()));
  }
  children.set(name, child);
}

/** The health check's exit code and what it printed. */
async function checkHealth(name: ServiceName, port: number): Promise<{ code: number; said: string }> {
  const [command = '', ...args] = image.words('HEALTHCHECK');
  const checked = exec(command, args, { cwd: app(), env: environment(name, port) });
  return checked.then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, said: error.stdout }),
  );
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'caudal-image-'));
  await makeApp();
  for (const name of names) ports.set(name, await freePort());
}, 240_000);

afterAll(async () => {
  for (const child of children.values()) child.kill('SIGKILL');
  const client = new KafkaClient({ brokers: process.env.KAFKA_BROKERS!.split(','), clientId: 'caudal-test' });
  await client.connect();
  const topics = (await client.listTopics()).filter((topic) => topic.startsWith(`${prefix}.`));
  if (topics.length > 0) await client.deleteTopics(topics);
  await client.close();
  await rm(dir, { recursive: true, force: true });
}, 60_000);

describe('the image', () => {
  it('holds production packages only, and neither sources nor tests', async () => {
    const { dependencies, devDependencies } = JSON.parse(await readFile('package.json', 'utf8')) as Record<
      'dependencies' | 'devDependencies',
      Record<string, string>
    >;
    const installed = await readdir(join(app(), 'node_modules'), { recursive: true });
    expect(Object.keys(dependencies).filter((name) => !installed.includes(name))).toEqual([]);
    expect(Object.keys(devDependencies).filter((name) => installed.includes(name))).toEqual([]);
    expect((await readdir(app())).sort()).toEqual(['dist', 'node_modules', 'package.json', 'pipelines', 'scripts']);
    const built = await readdir(join(app(), 'dist'), { recursive: true });
    expect(built.filter((file) => /\.spec\.|\.ts$/.test(file))).toEqual([]);
  });

  it('is unhealthy while nothing answers, and says what was asked', async () => {
    const { code, said } = await checkHealth('aggregator', ports.get('aggregator')!);
    expect(code).toBe(1);
    expect(said).toContain(`aggregator does not answer on port ${ports.get('aggregator')}`);
  });

  it('runs each service by its own command until its own health check says ready', async () => {
    names.forEach(start);
    for (const name of names) {
      await until(`${name} to be healthy`, async () => {
        const { code, said } = await checkHealth(name, ports.get(name)!);
        if (children.get(name)!.exitCode !== null) throw new Error(output.get(name));
        if (code !== 0) throw new Error(said);
        return said.includes('"ok"');
      });
    }
  }, 90_000);

  it('takes a file from the door to Redis', async () => {
    const url = `http://127.0.0.1:${ports.get('ingest')}/v1/pipelines/empresas/uploads?wait=60`;
    const headers = { 'content-type': 'text/csv' };
    const answer = await fetch(url, { method: 'POST', headers, body: await readFile('examples/novas_empresas.csv') });
    expect(await answer.json()).toMatchObject({ state: 'completed', rows: { published: 6 } });
  }, 90_000);

  it('is unhealthy, with the reasons, while the service says that it is not ready', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/health/ready' ? 503 : 200).end('{"reasons":["kafka_away"]}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await checkHealth('ingest', port)).toEqual({ code: 1, said: '{"reasons":["kafka_away"]}\n' });
    await new Promise((resolve) => server.close(resolve));
  });

  it('ends with code 0 on SIGTERM, which reaches node itself', async () => {
    for (const child of children.values()) child.kill('SIGTERM');
    for (const name of names) {
      const child = children.get(name)!;
      await until(`${name} to end`, () => child.exitCode !== null || child.signalCode !== null, 15_000);
      expect([name, child.exitCode, child.signalCode]).toEqual([name, 0, null]);
    }
  }, 60_000);
});
