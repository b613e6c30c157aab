// Kafka and Redis for one run of tests or benchmarks, on free ports and in a folder that is removed at the end; or
// those that the environment names. The root .env is not read here: it may name real ones.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, takePort } from './ports.mjs';
import { removeAtEnd } from './processes.mjs';
import { cacheDir } from './read-env.mjs';
import { findStores, startStores } from './stores.mjs';

/** Starts them. Answers `{brokers, redisUrl, dir}`; `dir` is a folder that is removed at the end. */
export async function startThrowAwayStores({ env, say }) {
  const dir = mkdtempSync(join(tmpdir(), 'caudal-test-'));
  removeAtEnd(dir);
  const found = findStores(env);
  const take = async (name) => takePort({ name, usual: await freePort(), env, cacheDir: cacheDir(env), say: () => {} });
  const ports = { kafka: await take('Kafka'), controller: await take('controller'), redis: await take('Redis') };
  const { brokers, redisUrl } = await startStores({ found, ports, env, say, dir, keep: false });
  return { brokers, redisUrl, dir };
}
