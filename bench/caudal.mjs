// Caudal's side of the benchmark: the three built services on fresh topics, a file through the front door, and the
// results read back from Redis and compared with the direct computation.
import { spawn } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openRedis } from '#redis';
import { serviceArgs } from '../scripts/service-command.mjs';
import { plain } from './make-rows.mjs';

const root = join(import.meta.dirname, '..');
const PORTS = { ingest: 28080, aggregator: 28090, 'feature-writer': 28091 };
const VARIABLES = {
  ingest: 'CAUDAL_PORT',
  aggregator: 'CAUDAL_AGGREGATOR_PORT',
  'feature-writer': 'CAUDAL_WRITER_PORT',
};

/** Starts the services and waits until they are ready; answers `{url, memory(), stop()}`. */
export async function startCaudal() {
  const stateDir = mkdtempSync(join(tmpdir(), 'caudal-bench-'));
  const children = Object.entries(PORTS).map(([name, port]) =>
    spawn(process.execPath, serviceArgs(root, name), {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        [VARIABLES[name]]: String(port),
        CAUDAL_TOPIC_PREFIX: `bench${process.pid}`,
        CAUDAL_PIPELINES_DIR: join(root, 'bench', 'pipelines'),
        CAUDAL_STATE_DIR: stateDir,
        LOG_LEVEL: 'warn',
      },
    }),
  );
  for (const port of Object.values(PORTS)) await untilReady(port);
  const stop = async () => {
    const ended = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of children) child.kill('SIGTERM');
    await Promise.all(ended);
    rmSync(stateDir, { recursive: true, force: true });
  };
  return { url: `http://127.0.0.1:${PORTS.ingest}`, stop };
}

async function untilReady(port) {
  for (let tries = 0; tries < 600; tries++) {
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) return;
    await sleep(100);
  }
  throw new Error(`the service on port ${port} is not ready after a minute`);
}

/** POSTs a file (a path) or a text and waits for `completed`; answers the run and the milliseconds it took. */
export async function post(url, body) {
  const startedAt = performance.now();
  const answer = await fetch(`${url}/v1/pipelines/bench/uploads?wait=300`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body: body.path ? createReadStream(body.path, { highWaterMark: 1 << 20 }) : body.text,
    duplex: 'half',
  });
  const run = await answer.json();
  if (answer.status !== 200) throw new Error(`upload answered ${answer.status}: ${JSON.stringify(run)}`);
  return { run, ms: performance.now() - startedAt };
}

/** Every hash against the direct computation; throws at the first difference. */
export async function verify(expected) {
  const redis = await openRedis({ url: process.env.REDIS_URL });
  const cities = [...expected.keys()];
  const hashes = await redis.readHashes(cities.map((city) => `bench:${city}`));
  cities.forEach((city, i) => {
    const { count, cents } = expected.get(city);
    const want = [String(count), plain(cents), plain(cents, count)];
    const hash = hashes[i];
    const got = ['quantidade_empresas', 'capital_social_total', 'capital_social_medio'].map((name) => hash?.get(name));
    if (want.join() !== got.join()) throw new Error(`${city}: expected ${want.join()}, Redis has ${got.join()}`);
  });
  await redis.close();
  return cities.length;
}
