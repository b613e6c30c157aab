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

/**
 * The Redis address that the environment names (REDIS_URL or the file REDIS_URL_FILE, else REDIS_HOST, REDIS_PORT,
 * REDIS_DB), or undefined.
 */
export function givenRedisUrl(env) {
  const url = secretOf(env, 'REDIS_URL');
  if (url) return url;
  if (!env.REDIS_HOST && !env.REDIS_PORT) return undefined;
  return `redis://${env.REDIS_HOST ?? '127.0.0.1'}:${env.REDIS_PORT ?? 6379}/${env.REDIS_DB ?? 0}`;
}

/** A secret of the environment: NAME itself, or what the file NAME_FILE holds; undefined when neither is set. */
export function secretOf(env, name) {
  if (env[name]) return env[name];
  const file = env[`${name}_FILE`];
  return file ? readFileSync(file, 'utf8').trim() : undefined;
}

/** The first token of CAUDAL_TOKENS with the scope; undefined when nobody is asked for one. Throws when none has it. */
export function tokenFor(env, scope) {
  const tokens = secretOf(env, 'CAUDAL_TOKENS');
  if (!tokens) return undefined;
  for (const entry of tokens.split(/[,\r\n]+/)) {
    const [, scopes = '', ...token] = entry.trim().split(':');
    if (scopes.split('+').includes(scope)) return token.join(':');
  }
  throw new Error(
    `CAUDAL_TOKENS has no token with the scope "${scope}": add one, or start without the example (--empty).`,
  );
}
