// The first thing that a service does: the environment over the root .env, checked as a whole, before anything opens.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { VARIABLES, type AppName, type Values } from './config-variables.js';
import type { ClientToken } from './tokens.js';

export interface ServiceLimits {
  /** Bytes of a body as it is sent. */
  readonly bodyBytes: number;
  /** Bytes of a file without gzip. */
  readonly uncompressedBytes: number;
  readonly rows: number;
  readonly bodiesAtOnce: number;
  readonly spoolBytes: number;
  /** Over any {@link slowBodyMs} a body brings at least this; 0: it may be slower. */
  readonly bodyBytesPerSecond: number;
  readonly slowBodyMs: number;
  readonly bodyMs: number;
  readonly connections: number;
  readonly clientBodies: number;
  readonly clientBytesPerDay: number;
  readonly clientRequestsPerMinute: number;
}

/** TLS and SASL to Kafka, as libs/kafka takes it. `ca` is PEM text. */
export interface KafkaSecurity {
  readonly tls?: { readonly ca?: string };
  readonly sasl?: {
    readonly mechanism: Values['KAFKA_SASL_MECHANISM'];
    readonly username: string;
    readonly password: string;
  };
}

export interface ServiceConfig {
  readonly app: AppName;
  readonly kafkaBrokers: string[];
  /** Holds a password: never shown. */
  readonly kafkaSecurity: KafkaSecurity;
  /** May hold a password: show it through {@link redact} only. */
  readonly redisUrl: string;
  /** PEM text; null: the authorities that Node knows. */
  readonly redisCa: string | null;
  readonly host: string;
  /** The port of this app. */
  readonly port: number;
  /** Paths are absolute. */
  readonly dataDir: string;
  readonly stateDir: string;
  readonly pipelinesDir: string;
  readonly cacheDir: string;
  readonly partitions: number;
  readonly topicPrefix: string;
  /** Who may call; null: nobody is asked. */
  readonly clients: readonly ClientToken[] | null;
  readonly logLevel: Values['LOG_LEVEL'];
  readonly limits: ServiceLimits;
  readonly sessionTimeoutMs: number;
  readonly redisCheckDelayMs: number;
  /** Null: the aggregator takes a share of its heap. */
  readonly stateMaxBytes: number | null;
  /** Null: one is made and kept in the state folder. */
  readonly notifySecret: string | null;
}

/** The environment is not usable as it is; the message has a line for each problem. */
export class ConfigError extends Error {
  readonly code = 'invalid_config';
  readonly retriable = false;
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}

type Env = Readonly<Record<string, string | undefined>>;

const PORTS = {
  ingest: 'CAUDAL_PORT',
  aggregator: 'CAUDAL_AGGREGATOR_PORT',
  'feature-writer': 'CAUDAL_WRITER_PORT',
} as const;

/** Reads and checks the configuration of one app. Throws {@link ConfigError} with everything that is wrong. */
export function readConfig(app: AppName, env: Env = readEnvironment(), root: string = projectRoot()): ServiceConfig {
  const values = parseValues(env);
  const files = readSecurity(values);
  const path = (given: string) => resolve(root, given.replace(/^~(?=\/|$)/, homedir()));
  const config: ServiceConfig = {
    app,
    kafkaBrokers: values.KAFKA_BROKERS,
    kafkaSecurity: files.kafkaSecurity,
    redisUrl: values.REDIS_URL ?? redisUrlOf(values),
    redisCa: files.redisCa,
    host: values.CAUDAL_HOST,
    port: values[PORTS[app]],
    dataDir: path(values.CAUDAL_DATA_DIR),
    stateDir: path(values.CAUDAL_STATE_DIR),
    pipelinesDir: path(values.CAUDAL_PIPELINES_DIR),
    cacheDir: path(values.CAUDAL_CACHE),
    partitions: values.CAUDAL_PARTITIONS,
    topicPrefix: values.CAUDAL_TOPIC_PREFIX,
    clients: values.CAUDAL_TOKENS ?? null,
    logLevel: values.LOG_LEVEL,
    limits: limitsOf(values),
    sessionTimeoutMs: values.CAUDAL_SESSION_TIMEOUT_MS,
    redisCheckDelayMs: values.CAUDAL_REDIS_CHECK_DELAY_MS,
    stateMaxBytes: values.CAUDAL_STATE_MAX_BYTES ?? null,
    notifySecret: values.CAUDAL_NOTIFY_SECRET ?? null,
  };
  return Object.freeze(config);
}

/** {@link readConfig} for a `main`: what is wrong is printed, and the process ends with code 2. */
export function configOrExit(app: AppName): ServiceConfig {
  try {
    return readConfig(app);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${app} cannot start:\n${error.message}\n`);
    process.exit(2);
  }
}

// A variable without a default may be missing.
type Optional =
  | 'REDIS_URL'
  | 'CAUDAL_TOKENS'
  | 'CAUDAL_STATE_MAX_BYTES'
  | 'KAFKA_SSL_CA_FILE'
  | 'KAFKA_SASL_MECHANISM'
  | 'KAFKA_SASL_USERNAME'
  | 'KAFKA_SASL_PASSWORD'
  | 'REDIS_TLS_CA_FILE'
  | 'CAUDAL_NOTIFY_SECRET';
type Given = Omit<Values, Optional> & { readonly [K in Optional]?: Values[K] };

function parseValues(env: Env): Given {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, { default: fallback, schema, secret }] of Object.entries(VARIABLES)) {
    const given = secret ? readSecret(name, env, problems) : textOf(env[name]);
    const text = given ?? fallback;
    if (text === null) continue;
    const parsed = schema.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${name}${secret ? '' : `="${text}"`} ${parsed.error.issues[0]!.message}`);
  }
  // Each value was parsed by the schema that its type comes from; only those without a default may be missing.
  const known = values as unknown as Given;
  problems.push(...openDoorProblems(env, known), ...saslProblems(known));
  if (problems.length > 0) throw new ConfigError(problems);
  return known;
}

/** The text of a variable; an empty one counts as not set. */
const textOf = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** A secret from its own variable or from the file that NAME_FILE names, without the line end behind it. */
function readSecret(name: string, env: Env, problems: string[]): string | undefined {
  const given = textOf(env[name]);
  const file = textOf(env[`${name}_FILE`]);
  if (file === undefined) return given;
  if (given !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set: unset one of them`);
    return undefined;
  }
  return readText(`${name}_FILE`, file, problems)?.trim();
}

function readText(name: string, file: string, problems: string[]): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    problems.push(`${name}="${file}" cannot be read (${(error as { code?: string }).code ?? 'unknown'})`);
    return undefined;
  }
}

function openDoorProblems(env: Env, values: Given): string[] {
  const host = textOf(env.CAUDAL_HOST) ?? VARIABLES.CAUDAL_HOST.default!;
  const hasTokens = textOf(env.CAUDAL_TOKENS) !== undefined || textOf(env.CAUDAL_TOKENS_FILE) !== undefined;
  if (isLoopback(host) || hasTokens || values.CAUDAL_ALLOW_OPEN === 'yes') return [];
  return [
    `CAUDAL_HOST="${host}" would let everybody in who reaches this machine: allowed are 127.0.0.1, ::1 and localhost; ` +
      'with CAUDAL_TOKENS it may listen there, and CAUDAL_ALLOW_OPEN=yes permits it where something else guards the port',
  ];
}

function saslProblems(values: Given): string[] {
  const names = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const;
  const missing = names.filter((name) => values[name] === undefined);
  if (missing.length === 0 || missing.length === names.length) return [];
  return [`${missing.join(' and ')} must be set, too: SASL needs mechanism, user and password`];
}

/** What the certificate files hold. Throws {@link ConfigError}. */
function readSecurity(values: Given): { kafkaSecurity: KafkaSecurity; redisCa: string | null } {
  const problems: string[] = [];
  const read = (name: 'KAFKA_SSL_CA_FILE' | 'REDIS_TLS_CA_FILE') => {
    const file = values[name];
    return file === undefined ? undefined : readText(name, file, problems);
  };
  const ca = read('KAFKA_SSL_CA_FILE');
  const redisCa = read('REDIS_TLS_CA_FILE') ?? null;
  if (problems.length > 0) throw new ConfigError(problems);
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = values;
  const kafkaSecurity: KafkaSecurity = {
    ...(values.KAFKA_SSL === 'yes' ? { tls: ca === undefined ? {} : { ca } } : {}),
    ...(mechanism === undefined ? {} : { sasl: { mechanism, username: username!, password: password! } }),
  };
  return { kafkaSecurity, redisCa };
}

function limitsOf(values: Given): ServiceLimits {
  return Object.freeze({
    bodyBytes: values.CAUDAL_MAX_BODY_BYTES,
    uncompressedBytes: values.CAUDAL_MAX_UNCOMPRESSED_BYTES,
    rows: values.CAUDAL_MAX_ROWS,
    bodiesAtOnce: values.CAUDAL_MAX_BODIES,
    spoolBytes: values.CAUDAL_MAX_SPOOL_BYTES,
    bodyBytesPerSecond: values.CAUDAL_MIN_BODY_BYTES_PER_SECOND,
    slowBodyMs: values.CAUDAL_SLOW_BODY_MS,
    bodyMs: values.CAUDAL_MAX_BODY_MS,
    connections: values.CAUDAL_MAX_CONNECTIONS,
    clientBodies: values.CAUDAL_CLIENT_BODIES,
    clientBytesPerDay: values.CAUDAL_CLIENT_BYTES_PER_DAY,
    clientRequestsPerMinute: values.CAUDAL_CLIENT_REQUESTS_PER_MINUTE,
  });
}

function redisUrlOf({ REDIS_HOST: host, REDIS_PORT: port, REDIS_DB: db }: Given): string {
  const address = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `redis://${address}:${port}${db === 0 ? '' : `/${db}`}`;
}

/** Whether only this machine can reach a service that listens on `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The text with the user and password of every URL in it hidden. */
export function redact(text: string): string {
  // Up to the last @ before the path: a password may itself hold one.
  return text.replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/]*@/gi, '$1***@');
}

/** The environment over the root .env; an empty variable counts as not set. */
export function readEnvironment(root: string = projectRoot(), environment: Env = process.env): Env {
  const file = join(root, '.env');
  if (!existsSync(file)) return environment;
  try {
    const given = Object.entries(environment).filter(([, value]) => value !== '');
    return { ...parseEnv(readFileSync(file, 'utf8')), ...Object.fromEntries(given) };
  } catch (cause) {
    throw new ConfigError([`${file} cannot be read (${String(cause)}): mend it or move it away`]);
  }
}

/** The folder of package.json: above `libs` when run from the sources, above `dist` when built. */
function projectRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let dir = start; ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'package.json'))) return dir;
    if (dir === dirname(dir)) return process.cwd();
  }
}
