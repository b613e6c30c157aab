// A real Redis without Docker: redis-server from PATH, else the binary inside a Maven artifact; on loopback, its
// append-only file in a folder. Used by start, by test, and by tests that want a Redis of their own to kill.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stopLeftover, writePidFile } from './leftover.mjs';
import { fetchJars } from './maven.mjs';
import { ranks } from './pids.mjs';
import { howItEnded, launch, restartable } from './processes.mjs';
import { refuseTakenPort } from './ports.mjs';
import { cacheDir } from './read-env.mjs';
import { readZipEntry } from './zip.mjs';

const artifactVersion = '1.4.3';
const artifactName = `embedded-redis-${artifactVersion}`;
const entries = {
  'linux-x64': 'redis-server-6.2.6-v5-linux-amd64',
  'linux-arm64': 'redis-server-6.2.7-linux-arm64',
  'darwin-x64': 'redis-server-6.2.6-v5-darwin-amd64',
  'darwin-arm64': 'redis-server-6.2.6-v5-darwin-arm64',
};
const versionMin = [6, 2];
const startLimitMs = 60_000;
const graceMs = 4000;

/** [7, 0] of 'Redis server v=7.0.15 sha=...' or 'Valkey server v=8.0.1 ...'; undefined for anything else. */
export function redisVersion(text) {
  const found = /\bserver v=(\d+)\.(\d+)/.exec(text);
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}

/** Whether a version is 6.2 or newer. */
export function isNewEnough([major, minor]) {
  return major > versionMin[0] || (major === versionMin[0] && minor >= versionMin[1]);
}

/** Whether PATH has a redis-server of 6.2 or newer. */
export function hasRedisServer(env) {
  const asked = spawnSync('redis-server', ['--version'], { env, encoding: 'utf8' });
  const version = asked.status === 0 ? redisVersion(asked.stdout) : undefined;
  return version !== undefined && isNewEnough(version);
}

const entryHere = () => entries[`${process.platform}-${process.arch}`];
const binaryPath = (env) => join(cacheDir(env), entryHere() ?? 'none');

/** Whether the artifact's binary is for this machine: `{cached}` tells if it is unpacked already; else undefined. */
export function artifactRedis(env) {
  return entryHere() ? { cached: existsSync(binaryPath(env)) } : undefined;
}

async function redisCommand({ env, say }) {
  if (hasRedisServer(env)) return 'redis-server';
  const entry = entryHere();
  if (!entry)
    throw new Error(
      `No Redis binary for ${process.platform} ${process.arch}. Install redis-server 6.2 or newer, or set REDIS_URL.`,
    );
  const binary = binaryPath(env);
  if (existsSync(binary)) return binary;
  const artifacts = [`com.github.codemonstur:embedded-redis:${artifactVersion}`];
  const options = { cacheDir: cacheDir(env), name: artifactName, label: 'Redis', artifacts, exact: true, env, say };
  const jar = readFileSync(join(await fetchJars(options), `${artifactName}.jar`));
  const part = `${binary}.${process.pid}.part`;
  writeFileSync(part, readZipEntry(jar, entry));
  chmodSync(part, 0o755);
  renameSync(part, binary);
  return binary;
}

/**
 * Starts Redis on loopback and resolves when it answers. `stateDir` holds its append-only file. Answers `{url, pid,
 * exited, lastLines(), stop(), kill(), restart()}`. Throws an Error with its last lines when it does not come up.
 */
export async function startRedis({ stateDir, port, say, env = process.env, logFile }) {
  const command = await redisCommand({ env, say });
  mkdirSync(stateDir, { recursive: true });
  const pidFile = join(stateDir, 'pid');
  const settings = { bind: '127.0.0.1', port, dir: stateDir, appendonly: 'yes', save: '', daemonize: 'no' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const log = logFile ?? join(stateDir, 'redis.log');
  const open = async () => {
    await stopLeftover({ name: 'Redis', pidFile, graceMs, say });
    await refuseTakenPort('Redis', port);
    const child = launch({ name: 'redis', command, args, cwd: stateDir, env, rank: ranks.store, logFile: log });
    writePidFile(pidFile, child.pid);
    await untilAnswers({ child, port });
    return child;
  };
  return Object.assign(await restartable({ open, graceMs }), { url: `redis://127.0.0.1:${port}/0` });
}

async function untilAnswers({ child, port }) {
  const endMs = performance.now() + startLimitMs;
  while (!(await speaksRedis(port))) {
    const ended = await Promise.race([child.exited, sleep(50)]);
    if (!ended && performance.now() < endMs) continue;
    if (!ended) await child.stop(0);
    const why = ended ? `ended with ${howItEnded(ended)}` : `did not answer within ${startLimitMs / 1000} s`;
    throw new Error([`Redis ${why}. Its last words:`, ...child.lastLines()].join('\n  '));
  }
}

/** Whether a Redis that has loaded its data answers PING on a loopback port. */
export function speaksRedis(port, limitMs = 2000) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(limitMs, () => end(false));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (answer) => end(answer.toString().startsWith('+PONG')));
  });
}
