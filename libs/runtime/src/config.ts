// The first thing that a service does: the environment over the root .env, checked as a whole, before anything opens.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { VARIABLES, type AppName, type Values } from './config-variables.js';

export interface ServiceConfig {
  readonly app: AppName;
  readonly kafkaBrokers: string[];
  /** May hold a password: show it through {@link redact} only. */
  readonly redisUrl: string;
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
  /** Listening elsewhere than on loopback is allowed; an app that does so warns of it. */
  readonly allowOpen: boolean;
  readonly logLevel: Values['LOG_LEVEL'];
  readonly limits: { readonly bodyBytes: number; readonly uncompressedBytes: number; readonly bodiesAtOnce: number };
  readonly sessionTimeoutMs: number;
  readonly redisCheckDelayMs: number;
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
  const path = (given: string) => resolve(root, given.replace(/^~(?=\/|$)/, homedir()));
  const config: ServiceConfig = {
    app,
    kafkaBrokers: values.KAFKA_BROKERS,
    redisUrl: values.REDIS_URL ?? redisUrlOf(values),
    host: values.CAUDAL_HOST,
    port: values[PORTS[app]],
    dataDir: path(values.CAUDAL_DATA_DIR),
    stateDir: path(values.CAUDAL_STATE_DIR),
    pipelinesDir: path(values.CAUDAL_PIPELINES_DIR),
    cacheDir: path(values.CAUDAL_CACHE),
    partitions: values.CAUDAL_PARTITIONS,
    topicPrefix: values.CAUDAL_TOPIC_PREFIX,
    allowOpen: values.CAUDAL_ALLOW_OPEN === 'yes',
    logLevel: values.LOG_LEVEL,
    limits: Object.freeze({
      bodyBytes: values.CAUDAL_MAX_BODY_BYTES,
      uncompressedBytes: values.CAUDAL_MAX_UNCOMPRESSED_BYTES,
      bodiesAtOnce: values.CAUDAL_MAX_BODIES,
    }),
    sessionTimeoutMs: values.CAUDAL_SESSION_TIMEOUT_MS,
    redisCheckDelayMs: values.CAUDAL_REDIS_CHECK_DELAY_MS,
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
type Optional = 'REDIS_URL' | 'CAUDAL_TOKENS';
type Given = Omit<Values, Optional> & { readonly [K in Optional]?: Values[K] };

function parseValues(env: Env): Given {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, { default: fallback, schema, secret }] of Object.entries(VARIABLES)) {
    const given = env[name] === '' ? undefined : env[name];
    const text = given ?? fallback;
    if (text === null) continue;
    const parsed = schema.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${name}${secret ? '' : `="${text}"`} ${parsed.error.issues[0]!.message}`);
  }
  const host = env.CAUDAL_HOST || VARIABLES.CAUDAL_HOST.default!;
  if (!isLoopback(host) && env.CAUDAL_ALLOW_OPEN !== 'yes') {
    problems.push(
      `CAUDAL_HOST="${host}" would let everybody in who reaches this machine: allowed are 127.0.0.1, ::1 and localhost; ` +
        'CAUDAL_ALLOW_OPEN=yes permits it where something else guards the port',
    );
  }
  if (env.CAUDAL_TOKENS) {
    problems.push(
      'CAUDAL_TOKENS is set, but tokens are not supported by this version: nobody would be asked for one; unset it',
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  // Each value was parsed by the schema that its type comes from; only those without a default may be missing.
  return values as unknown as Given;
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
