// The life of `npm start` from outside: real starter, real Kafka, Redis and services. What it starts is seen in the
// process table; after every kind of end all of it must be gone.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = join(import.meta.dirname, '..', '..');
const bin = join(root, 'node_modules', '.bin');
const upLimitMs = 150_000;
const goneLimitMs = 30_000;
const own = /^(KAFKA_|REDIS_|CAUDAL_(?!CACHE)|NODE_OPTIONS|npm_)/;

interface Starter {
  pid: number;
  output: () => string;
  /** Resolves with the first match in what it prints; rejects when it ends without. */
  prints: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Its exit code, or the signal that ended it. */
  exited: Promise<number | string | null>;
}

const dirs: string[] = [];
const starters: Starter[] = [];

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'caudal-start-spec-'));
  dirs.push(dir);
  return dir;
}

/** Runs a command of the clone with nothing of the tests' own environment but `env`. */
function begin(command: string, args: string[], env: Record<string, string>): Starter {
  const inherited = Object.entries(process.env).filter(([name]) => !own.test(name));
  const child = spawn(command, args, {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (text += part.toString()));
  const exited = new Promise<number | string | null>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
  const prints = async (pattern: RegExp): Promise<RegExpExecArray> => {
    const endMs = performance.now() + upLimitMs;
    for (;;) {
      const found = pattern.exec(text);
      if (found) return found;
      const ended = await Promise.race([exited.then((code) => `it ended with ${code}`), sleep(50)]);
      const late = performance.now() > endMs ? 'it takes too long' : undefined;
      if ((ended ?? late) && !pattern.test(text))
        throw new Error(`No ${pattern}: ${ended ?? late}. It printed:\n${text}`);
    }
  };
  const starter = { pid: child.pid ?? -1, output: () => text, prints, exited };
  starters.push(starter);
  return starter;
}

const start = (stateDir: string, args: string[] = [], env: Record<string, string> = {}): Starter =>
  begin(join(bin, 'node'), ['scripts/start.mjs', ...args], { CAUDAL_STATE_DIR: stateDir, ...env });
const npmStart = (stateDir: string, ...args: string[]): Starter =>
  begin('npm', ['start', '--', ...args], { CAUDAL_STATE_DIR: stateDir });

/** Every process below `pid`, as the process table has it: pid and command line. */
function family(pid: number): { pid: number; command: string }[] {
  const { stdout } = spawnSync('ps', ['-Ao', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const table = stdout.split('\n').flatMap((line) => {
    const [, child, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(child), parent: Number(parent), command }];
  });
  const below = (parent: number): typeof table =>
    table.filter((one) => one.parent === parent).flatMap((one) => [one, ...below(one.pid)]);
  return below(pid).filter(({ command }) => !command.startsWith('ps '));
}

function isGone(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() === '' || stdout.trim().startsWith('Z');
}

/** The command lines of those that still run once all should be gone. */
async function leftAfterEnd(processes: { pid: number; command: string }[]): Promise<string[]> {
  const endMs = performance.now() + goneLimitMs;
  let left = processes;
  while (left.length > 0 && performance.now() < endMs) {
    left = left.filter(({ pid }) => !isGone(pid));
    await sleep(100);
  }
  return left.map(({ command }) => command);
}

const isUp = /Caudal is up: (\S+)/;
const parts = ['guard.mjs', 'kafka.Kafka', 'redis-server', 'apps/ingest', 'apps/aggregator', 'apps/feature-writer'];

function expectAllParts(processes: { command: string }[]): void {
  const missing = parts.filter((part) => !processes.some(({ command }) => command.includes(part)));
  expect(missing).toEqual([]);
}

async function answersReady(origin: string): Promise<boolean> {
  return fetch(`${origin}/health/ready`).then(
    (answer) => answer.status === 200,
    () => false,
  );
}

afterAll(async () => {
  for (const { pid, exited } of starters) {
    if (!isGone(pid)) process.kill(-pid, 'SIGTERM');
    await exited;
  }
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
}, 60_000);

describe('npm start', () => {
  it('shows the example, stops all on SIGINT, and has kept its data when it starts again', async () => {
    const stateDir = newDir();
    const first = start(stateDir);
    await first.prints(isUp);
    expect(first.output()).toMatch(/São Paulo +3 +65000 +195000/);
    expect(first.output()).toMatch(/Rio de Janeiro +2 +112500 +225000/);
    expect(first.output()).toMatch(/Belo Horizonte +1 +30000 +30000/);
    const firstFamily = family(first.pid);
    expectAllParts(firstFamily);
    process.kill(first.pid, 'SIGINT');
    expect(await first.exited).toBe(0);
    expect(await leftAfterEnd(firstFamily)).toEqual([]);

    const second = npmStart(stateDir);
    await second.prints(isUp);
    expect(second.output()).toContain('this file was known already');
    expect(second.output()).toMatch(/São Paulo +3 +65000 +195000/);
    const secondFamily = family(second.pid);
    expectAllParts(secondFamily);
    process.kill(second.pid, 'SIGTERM'); // to npm alone, as a service manager does
    await second.exited;
    expect(await leftAfterEnd(secondFamily)).toEqual([]);
  }, 400_000);

  it('runs beside another start, refuses the same folder, restarts what dies, and a crash of it leaves nothing', async () => {
    const [hereDir, besideDir] = [newDir(), newDir()];
    const here = npmStart(hereDir, '--empty');
    const [, hereOrigin = ''] = await here.prints(isUp);
    const refused = start(hereDir, ['--empty']);
    expect(await refused.exited).toBe(1);
    expect(refused.output()).toContain('Caudal already runs here: process ');

    const beside = start(besideDir, ['--empty']);
    const [, besideOrigin = ''] = await beside.prints(isUp);
    expect(besideOrigin).not.toBe(hereOrigin);
    expect(beside.output()).toMatch(/Port \d+ \(ingest\) is taken: using \d+\./);
    expect(await answersReady(hereOrigin)).toBe(true);

    const [aggregator] = family(beside.pid).filter(({ command }) => command.includes('apps/aggregator'));
    process.kill(aggregator?.pid ?? -1, 'SIGKILL');
    await beside.prints(/aggregator died \(SIGKILL\)/);
    const [, newPid] = await beside.prints(/aggregator was restarted \(process (\d+)\)/);
    expect(Number(newPid)).not.toBe(aggregator?.pid);

    const besideFamily = family(beside.pid);
    expectAllParts(besideFamily);
    process.kill(beside.pid, 'SIGKILL');
    expect(await leftAfterEnd(besideFamily)).toEqual([]);
    expect(await answersReady(hereOrigin)).toBe(true);

    const hereFamily = family(here.pid);
    process.kill(-here.pid, 'SIGINT'); // a terminal's Ctrl-C: npm and the starter both get it, and npm passes it on
    await here.exited;
    expect(await leftAfterEnd(hereFamily)).toEqual([]);
    expect(here.output()).not.toContain('Stopping at once.');
  }, 400_000);

  it('refuses a port that was set and is taken, naming the variable', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const starter = start(newDir(), [], { CAUDAL_AGGREGATOR_PORT: String(port) });
    expect(await starter.exited).toBe(1);
    expect(starter.output()).toContain(`CAUDAL_AGGREGATOR_PORT=${port}: port ${port} (aggregator) is taken`);
    await new Promise((resolve) => server.close(resolve));
  }, 60_000);

  it('says in one message what to install where nothing works', async () => {
    const nothing = { PATH: bin + delimiter + newDir(), JAVA_HOME: '', CAUDAL_CACHE: newDir() };
    const starter = start(newDir(), [], nothing);
    expect(await starter.exited).toBe(1);
    expect(starter.output()).toMatch(/Kafka: .*JRE of 17 or newer.*mvn/);
    expect(starter.output()).toMatch(/Redis: .*redis-server/);
    expect(starter.output()).toContain('KAFKA_BROKERS=');
  }, 60_000);
});

describe('npm run demo', () => {
  it('checks the values, ends with 0 and leaves neither processes nor data', async () => {
    const demo = begin('npm', ['run', 'demo'], { TMPDIR: newDir() });
    await demo.prints(/Services are ready/);
    const processes = family(demo.pid);
    expectAllParts(processes);
    const settings = processes.map(({ command }) => /\S+server\.properties/.exec(command)?.[0]).find(Boolean) ?? '';
    expect(readFileSync(settings, 'utf8')).toContain('process.roles=broker,controller');
    expect(await demo.exited).toBe(0);
    expect(demo.output()).toMatch(/São Paulo +3 +65000 +195000/);
    expect(await leftAfterEnd(processes)).toEqual([]);
    expect(existsSync(dirname(dirname(settings)))).toBe(false);
  }, 200_000);
});
