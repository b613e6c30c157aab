// First step of every script: the root .env below the real environment. Runs before `npm ci`: Node built-ins only.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';

/** The folder of the clone, absolute. */
export const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

/**
 * The environment over the root .env. An empty variable counts as not set, so that `KAFKA_BROKERS= npm start` works.
 * Throws when .env is there and cannot be read.
 */
export function readEnv(environment = process.env, file = join(root, '.env')) {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause.code !== 'ENOENT')
      throw new Error(`Cannot read ${file}: ${cause.message}. Mend it or move it away.`, { cause });
  }
  const isSet = ([, value]) => value !== undefined && value !== '';
  return Object.fromEntries([
    ...Object.entries(parseEnv(text)).filter(isSet),
    ...Object.entries(environment).filter(isSet),
  ]);
}

/** Where downloads are kept for all clones of this user, absolute. */
export function cacheDir(env) {
  return resolve(root, env.CAUDAL_CACHE ?? join(homedir(), '.cache', 'caudal'));
}

/** Where this clone keeps its spool, its native Kafka and Redis and its logs, absolute. */
export function stateDir(env) {
  return resolve(root, env.CAUDAL_STATE_DIR ?? '.caudal');
}

/** The Redis address that the environment names (REDIS_URL, else REDIS_HOST, REDIS_PORT, REDIS_DB), or undefined. */
export function givenRedisUrl(env) {
  if (env.REDIS_URL) return env.REDIS_URL;
  if (!env.REDIS_HOST && !env.REDIS_PORT) return undefined;
  return `redis://${env.REDIS_HOST ?? '127.0.0.1'}:${env.REDIS_PORT ?? 6379}/${env.REDIS_DB ?? 0}`;
}
