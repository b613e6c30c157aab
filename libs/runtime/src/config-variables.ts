// Every environment variable of the services in ONE table: it parses them, gives their defaults and explains them.
// The configuration page of the docs and `config.ts` read it.
import { z } from 'zod';
import { LIMITS } from '#contracts';
import { parseTokens, type ClientToken } from './tokens.js';

export type AppName = 'ingest' | 'aggregator' | 'feature-writer';

interface Variable<T> {
  /** What is taken when the variable is unset or empty; null: nothing. */
  readonly default: string | null;
  readonly meaning: string;
  /** Its value is never printed. */
  readonly secret: boolean;
  readonly schema: z.ZodType<T, string>;
}

/** A row of the table as the docs show it. */
export interface ConfigVariable {
  readonly name: string;
  readonly default: string | null;
  readonly meaning: string;
  readonly secret: boolean;
}

function whole(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message);
}

function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, `must be one of ${values.join(', ')}`);
}

const port = whole(1, 65_535);
const text = z.string();
const hostName = z.string().regex(/^[A-Za-z0-9._:[\]-]{1,255}$/, 'must be a host name or an IP address');
const ADDRESS = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;
const isAddress = (address: string): boolean => {
  const found = Number(ADDRESS.exec(address)?.[2]);
  return found >= 1 && found <= 65_535;
};
const brokers = z
  .string()
  .transform((list) => list.split(',').map((address) => address.trim()))
  .refine((list) => list.every(isAddress), 'must be host:port, several separated by commas');
const redisUrl = z
  .string()
  .refine(isRedisUrl, 'must be redis://[user:password@]host[:port][/db] (rediss:// for TLS), db from 0 to 999');
const topicPrefix = z.string().regex(/^[a-zA-Z0-9._-]{1,60}$/, 'must be 1 to 60 of a-z A-Z 0-9 . _ -');

const tokens: z.ZodType<readonly ClientToken[], string> = z.string().transform((given, context) => {
  const parsed = parseTokens(given);
  if ('clients' in parsed) return parsed.clients;
  context.addIssue({ code: 'custom', message: parsed.problems.join('; ') });
  return z.NEVER;
});

function isRedisUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return /^rediss?:$/.test(url.protocol) && url.hostname !== '' && /^(\/(\d{1,3})?)?$/.test(url.pathname);
}

function variable<T>(
  fallback: string | null,
  meaning: string,
  schema: z.ZodType<T, string>,
  { secret = false } = {},
): Variable<T> {
  return { default: fallback, meaning, schema, secret };
}

const DAY_MS = 86_400_000;

/** What one upload, one client and the door as a whole may take; docs/reference/limits.md explains each. */
const LIMIT_VARIABLES = {
  CAUDAL_MAX_BODY_BYTES: variable(
    String(LIMITS.bodyBytes),
    'Largest body of an upload as it is sent',
    whole(1, 2 ** 44),
  ),
  CAUDAL_MAX_UNCOMPRESSED_BYTES: variable(
    String(LIMITS.uncompressedBytes),
    'Largest file after gzip is taken off',
    whole(1, 2 ** 44),
  ),
  CAUDAL_MAX_ROWS: variable(String(LIMITS.rows), 'Most records of a file; one with more is refused', whole(1, 1e12)),
  CAUDAL_MAX_BODIES: variable(
    String(LIMITS.bodiesAtOnce),
    'Bodies received at once; further ones are answered 503',
    whole(1, 100_000),
  ),
  CAUDAL_MAX_SPOOL_BYTES: variable(
    String(LIMITS.spoolBytes),
    'Bodies kept on disk in all; further ones are answered 503',
    whole(1, 2 ** 48),
  ),
  CAUDAL_MIN_BODY_BYTES_PER_SECOND: variable(
    String(LIMITS.bodyBytesPerSecond),
    'A sender that is slower than this over CAUDAL_SLOW_BODY_MS is answered 408; 0: never',
    whole(0, 2 ** 30),
  ),
  CAUDAL_SLOW_BODY_MS: variable(String(LIMITS.slowBodyMs), 'How long a sender may be slow, ms', whole(100, DAY_MS)),
  CAUDAL_MAX_BODY_MS: variable(String(LIMITS.bodyMs), 'Longest time for one body to arrive, ms', whole(100, DAY_MS)),
  CAUDAL_MAX_CONNECTIONS: variable(
    String(LIMITS.connections),
    'Connections at once to one service; further ones are closed',
    whole(1, 100_000),
  ),
  CAUDAL_CLIENT_BODIES: variable(
    String(LIMITS.clientBodies),
    "One token's bodies received at once; further ones are answered 429",
    whole(1, 100_000),
  ),
  CAUDAL_CLIENT_BYTES_PER_DAY: variable(
    String(LIMITS.clientBytesPerDay),
    "One token's bytes sent to one ingest per UTC day; further bodies are answered 429",
    whole(1, 2 ** 48),
  ),
  CAUDAL_CLIENT_REQUESTS_PER_MINUTE: variable(
    String(LIMITS.clientRequestsPerMinute),
    "One token's requests a minute to one service; further ones are answered 429",
    whole(1, 1_000_000),
  ),
};

export const VARIABLES = {
  KAFKA_BROKERS: variable('127.0.0.1:9092', 'Kafka brokers, host:port separated by commas', brokers),
  KAFKA_SSL: variable('no', 'yes: TLS to Kafka', choice(['yes', 'no'])),
  KAFKA_SSL_CA_FILE: variable(null, "PEM file of who signs Kafka's certificate, when Node does not know it", text),
  KAFKA_SASL_MECHANISM: variable(
    null,
    'How Kafka is told who we are: plain, scram-sha-256 or scram-sha-512; without it not at all',
    choice(['plain', 'scram-sha-256', 'scram-sha-512']),
  ),
  KAFKA_SASL_USERNAME: variable(null, 'User at Kafka, with KAFKA_SASL_MECHANISM', text),
  KAFKA_SASL_PASSWORD: variable(null, 'Password at Kafka, with KAFKA_SASL_MECHANISM', text, { secret: true }),
  REDIS_URL: variable(
    null,
    'Redis; rules over REDIS_HOST, REDIS_PORT, REDIS_DB. Without any: redis://127.0.0.1:6379',
    redisUrl,
    { secret: true },
  ),
  REDIS_HOST: variable('127.0.0.1', 'Host of Redis, when REDIS_URL is not set', hostName),
  REDIS_PORT: variable('6379', 'Port of Redis, when REDIS_URL is not set', port),
  REDIS_DB: variable('0', 'Database number of Redis, when REDIS_URL is not set', whole(0, 999)),
  REDIS_TLS_CA_FILE: variable(null, "PEM file of who signs Redis' certificate, when Node does not know it", text),
  CAUDAL_HOST: variable('127.0.0.1', 'Where the services listen', hostName),
  CAUDAL_PORT: variable('8080', 'Port of ingest', port),
  CAUDAL_AGGREGATOR_PORT: variable('8090', 'Port of the aggregator: health and metrics', port),
  CAUDAL_WRITER_PORT: variable('8091', 'Port of the feature writer: health and metrics', port),
  CAUDAL_DATA_DIR: variable('./data', 'Holds files/ (runs by name) and inbox/', text),
  CAUDAL_STATE_DIR: variable('./.caudal', 'Holds the spool, and native Kafka and Redis', text),
  CAUDAL_PIPELINES_DIR: variable('./pipelines', 'Holds the pipeline files, NAME.yaml', text),
  CAUDAL_PARTITIONS: variable(
    '4',
    "Partitions of each pipeline's topics, given when they are created",
    whole(1, 1_000),
  ),
  CAUDAL_TOPIC_PREFIX: variable('caudal', 'Begins the name of every topic, group and transactional id', topicPrefix),
  CAUDAL_TOKENS: variable(
    null,
    'Who may call: name:scopes:token, several separated by commas; scopes upload, read, admin joined by +',
    tokens,
    { secret: true },
  ),
  CAUDAL_ALLOW_OPEN: variable(
    'no',
    'yes: without tokens, too, it may listen elsewhere than on loopback, open to all',
    choice(['yes', 'no']),
  ),
  CAUDAL_CACHE: variable('~/.cache/caudal', 'Downloads, shared by all clones of a user', text),
  ...LIMIT_VARIABLES,
  CAUDAL_SESSION_TIMEOUT_MS: variable(
    '10000',
    'After this long without a sign of life a process loses its partitions, ms',
    whole(1_000, 300_000),
  ),
  CAUDAL_STATE_MAX_BYTES: variable(
    null,
    'Memory for the state of one aggregator process; without it half of its heap beyond 352 MiB',
    whole(1_000_000, 2 ** 44),
  ),
  CAUDAL_REDIS_CHECK_DELAY_MS: variable(
    '10000',
    'Between the three tries of a run to reach Redis, ms',
    whole(0, 600_000),
  ),
  CAUDAL_NOTIFY_SECRET: variable(
    null,
    'Notices are signed with it, 16 characters or more; without it with one made at the first start and kept in the state folder',
    z.string().min(16, 'must have 16 characters or more'),
    { secret: true },
  ),
  LOG_LEVEL: variable(
    'info',
    'Least severe log lines that are written',
    choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
  ),
} as const;

export type Values = { readonly [K in keyof typeof VARIABLES]: Parsed<(typeof VARIABLES)[K]> };
type Parsed<V> = V extends Variable<infer T> ? T : never;

/** Each secret may also be given as NAME_FILE, a file that holds it. */
export const CONFIG_VARIABLES: readonly ConfigVariable[] = Object.entries(VARIABLES).flatMap(([name, row]) => {
  const shown = { name, default: row.default, meaning: row.meaning, secret: row.secret };
  if (!row.secret) return [shown];
  return [shown, { name: `${name}_FILE`, default: null, meaning: `File that holds ${name}`, secret: false }];
});
