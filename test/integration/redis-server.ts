// For the specs of libs/redis: a database of the shared Redis, and a Redis of a spec's own to fill up, stop and empty.
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from '../../libs/redis/src/testing.js';

const { REDIS_URL } = process.env;
if (REDIS_URL === undefined) throw new Error('REDIS_URL is not set: run `npm test`, or set it to a Redis to test on');

/** The shared Redis, a database apart from what else runs there; specs use random keys in it. */
export function sharedRedisUrl(db: number): string {
  const url = new URL(REDIS_URL!);
  url.pathname = `/${db}`;
  return url.href;
}

export const randomName = (begin: string): string => `${begin}-${randomBytes(6).toString('hex')}`;

/** Polls until `look` answers true; gives up after ten seconds. */
export async function until(look: () => Promise<boolean> | boolean): Promise<void> {
  for (let left = 200; left > 0; left--) {
    if (await look()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not come about within 10 s');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The program that the shared Redis runs, when it runs here; else what PATH has. */
async function redisProgram(): Promise<string> {
  const client = new Redis(REDIS_URL!);
  const info = await client.info('server');
  client.disconnect();
  return /^executable:(.+?)\r?$/m.exec(info)?.[1] ?? 'redis-server';
}

export class OwnRedis {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly program: string,
    private readonly dir: string,
    readonly port: number,
  ) {}

  /** Not started yet; its address is known. */
  static async prepare(): Promise<OwnRedis> {
    return new OwnRedis(await redisProgram(), await mkdtemp(join(tmpdir(), 'caudal-redis-')), await freePort());
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** An empty one: nothing is kept on disk. */
  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--dir', this.dir];
    this.child = spawn(this.program, args, { stdio: 'ignore' });
    await until(() => this.answers());
  }

  private async answers(): Promise<boolean> {
    const client = new Redis(this.url, { lazyConnect: true, retryStrategy: null });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      client.disconnect();
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}
