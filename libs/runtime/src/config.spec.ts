import { jest } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONFIG_VARIABLES } from './config-variables.js';
import { configOrExit, ConfigError, isLoopback, readConfig, readEnvironment, redact } from './config.js';

const read = (env: Record<string, string>) => readConfig('ingest', env, '/clone');

function problems(env: Record<string, string>): readonly string[] {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('readConfig', () => {
  it('has the defaults of the contract', () => {
    expect(read({})).toEqual({
      app: 'ingest',
      kafkaBrokers: ['127.0.0.1:9092'],
      kafkaSecurity: {},
      redisUrl: 'redis://127.0.0.1:6379',
      redisCa: null,
      host: '127.0.0.1',
      port: 8080,
      dataDir: '/clone/data',
      stateDir: '/clone/.caudal',
      pipelinesDir: '/clone/pipelines',
      cacheDir: `${homedir()}/.cache/caudal`,
      partitions: 4,
      topicPrefix: 'caudal',
      clients: null,
      logLevel: 'info',
      limits: {
        bodyBytes: 4 * 1024 ** 3,
        uncompressedBytes: 16 * 1024 ** 3,
        rows: 100_000_000,
        bodiesAtOnce: 512,
        spoolBytes: 64 * 1024 ** 3,
        bodyBytesPerSecond: 1_000,
        slowBodyMs: 30_000,
        bodyMs: 4 * 3_600_000,
        connections: 2_000,
        clientBodies: 64,
        clientBytesPerDay: 1024 ** 4,
        clientRequestsPerMinute: 6_000,
      },
      sessionTimeoutMs: 10_000,
      redisCheckDelayMs: 10_000,
      stateMaxBytes: null,
      notifySecret: null,
    });
  });

  it('is frozen', () => {
    expect(Object.isFrozen(read({})) && Object.isFrozen(read({}).limits)).toBe(true);
  });

  it('gives each app its own port', () => {
    const env = { CAUDAL_PORT: '1', CAUDAL_AGGREGATOR_PORT: '2', CAUDAL_WRITER_PORT: '3' };
    expect(readConfig('ingest', env).port).toBe(1);
    expect(readConfig('aggregator', env).port).toBe(2);
    expect(readConfig('feature-writer', env).port).toBe(3);
    expect([readConfig('aggregator', {}).port, readConfig('feature-writer', {}).port]).toEqual([8090, 8091]);
  });

  it('takes an empty variable for one that is not set', () => {
    expect(read({ KAFKA_BROKERS: '', REDIS_URL: '', CAUDAL_TOKENS: '', CAUDAL_HOST: '' })).toEqual(read({}));
  });

  it('takes absolute paths, paths in the clone and paths at home', () => {
    const config = read({ CAUDAL_DATA_DIR: '/d', CAUDAL_STATE_DIR: 'x/../s', CAUDAL_PIPELINES_DIR: '~/p' });
    expect([config.dataDir, config.stateDir, config.pipelinesDir]).toEqual(['/d', '/clone/s', `${homedir()}/p`]);
  });

  it('takes several brokers', () => {
    expect(read({ KAFKA_BROKERS: 'a:1, [::1]:2' }).kafkaBrokers).toEqual(['a:1', '[::1]:2']);
  });

  it('takes Redis by its URL, else by its parts', () => {
    const parts = { REDIS_HOST: 'redis', REDIS_PORT: '6380', REDIS_DB: '3' };
    expect(read(parts).redisUrl).toBe('redis://redis:6380/3');
    expect(read({ REDIS_HOST: '::1' }).redisUrl).toBe('redis://[::1]:6379');
    expect(read({ REDIS_DB: '2' }).redisUrl).toBe('redis://127.0.0.1:6379/2');
    expect(read({ ...parts, REDIS_URL: 'rediss://u:p@h/1' }).redisUrl).toBe('rediss://u:p@h/1');
  });
});

describe('a bad environment', () => {
  it.each([
    ['KAFKA_BROKERS', 'localhost', 'host:port'],
    ['KAFKA_BROKERS', 'a:1,', 'host:port'],
    ['KAFKA_BROKERS', 'a:65536', 'host:port'],
    ['REDIS_PORT', '0', '1 to 65535'],
    ['REDIS_DB', '-1', '0 to 999'],
    ['CAUDAL_PORT', '80a', '1 to 65535'],
    ['CAUDAL_PORT', '65536', '1 to 65535'],
    ['CAUDAL_PARTITIONS', '0', '1 to 1000'],
    ['CAUDAL_PARTITIONS', '1e2', '1 to 1000'],
    ['CAUDAL_TOPIC_PREFIX', 'a b', 'a-z A-Z 0-9'],
    ['CAUDAL_TOPIC_PREFIX', 'x'.repeat(61), '1 to 60'],
    ['CAUDAL_ALLOW_OPEN', 'true', 'yes, no'],
    ['CAUDAL_MAX_BODY_BYTES', '4GB', 'whole number'],
    ['LOG_LEVEL', 'loud', 'fatal, error, warn, info'],
  ])('%s=%s names the variable, its value and what is allowed', (name, value, allowed) => {
    const found = problems({ [name]: value });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${name}="${value}"`);
    expect(found[0]).toContain(allowed);
  });

  it('is told all at once', () => {
    const found = problems({ CAUDAL_PORT: 'x', LOG_LEVEL: 'y', CAUDAL_HOST: '0.0.0.0' });
    expect(found.map((problem) => /^[A-Z_]+/.exec(problem)?.[0])).toEqual(['CAUDAL_PORT', 'LOG_LEVEL', 'CAUDAL_HOST']);
    expect(new ConfigError(found)).toMatchObject({ code: 'invalid_config', retriable: false });
  });

  it.each(['http://h', 'redis://h/x', 'redis://u:hunter2@', 'h:6379', 'redis://:hunter2@h/1/2'])(
    'with REDIS_URL %s is refused without showing it',
    (url) => {
      const found = problems({ REDIS_URL: url });
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(/^REDIS_URL must be redis:/);
      expect(found[0]).not.toContain('hunter2');
    },
  );

  it('that listens for everybody is refused without tokens, unless it says so', () => {
    expect(problems({ CAUDAL_HOST: '0.0.0.0' })[0]).toContain('CAUDAL_ALLOW_OPEN=yes');
    expect(problems({ CAUDAL_HOST: '::', CAUDAL_ALLOW_OPEN: 'no' })).toHaveLength(1);
    expect(read({ CAUDAL_HOST: '0.0.0.0', CAUDAL_ALLOW_OPEN: 'yes' })).toMatchObject({
      host: '0.0.0.0',
      clients: null,
    });
    const guarded = read({ CAUDAL_HOST: '0.0.0.0', CAUDAL_TOKENS: `ci:upload:${'x'.repeat(32)}` });
    expect(guarded.clients).toHaveLength(1);
  });

  it('with bad tokens is refused without showing them', () => {
    const found = problems({ CAUDAL_TOKENS: 'ci:upload:0123456789' });
    expect(found[0]).toMatch(/^CAUDAL_TOKENS entry 1 \("ci"\) has a token of 10 characters/);
    expect(found[0]).not.toContain('0123456789');
  });

  it('with half of what SASL needs is refused', () => {
    expect(problems({ KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u' })).toEqual([
      'KAFKA_SASL_PASSWORD must be set, too: SASL needs mechanism, user and password',
    ]);
    expect(problems({ KAFKA_SASL_PASSWORD: 'hunter2' })[0]).not.toContain('hunter2');
    expect(problems({ KAFKA_SASL_MECHANISM: 'gssapi' })[0]).toContain('plain, scram-sha-256, scram-sha-512');
  });
});

describe('secrets and certificates in files', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'caudal-secrets-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };

  it('are read, without the line end behind them', () => {
    const config = read({
      CAUDAL_TOKENS_FILE: file('tokens', `a:read:${'a'.repeat(32)}\nb:upload+read:${'b'.repeat(32)}\n`),
      REDIS_URL_FILE: file('redis', 'rediss://u:p@h:1\n'),
      REDIS_TLS_CA_FILE: file('redis.pem', 'ca of redis'),
      KAFKA_SSL: 'yes',
      KAFKA_SSL_CA_FILE: file('kafka.pem', 'ca of kafka'),
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'caudal',
      KAFKA_SASL_PASSWORD_FILE: file('sasl', 'pass word\n'),
    });
    expect(config.clients!.map((client) => [client.name, [...client.scopes]])).toEqual([
      ['a', ['read']],
      ['b', ['upload', 'read']],
    ]);
    expect([config.redisUrl, config.redisCa]).toEqual(['rediss://u:p@h:1', 'ca of redis']);
    expect(config.kafkaSecurity).toEqual({
      tls: { ca: 'ca of kafka' },
      sasl: { mechanism: 'scram-sha-512', username: 'caudal', password: 'pass word' },
    });
    expect(read({ KAFKA_SSL: 'yes' }).kafkaSecurity).toEqual({ tls: {} });
  });

  it('that cannot be read, or come twice, are refused', () => {
    expect(problems({ CAUDAL_TOKENS_FILE: join(dir, 'none') })[0]).toContain('cannot be read (ENOENT)');
    expect(problems({ KAFKA_SSL_CA_FILE: join(dir, 'none') })[0]).toContain('cannot be read (ENOENT)');
    expect(problems({ REDIS_URL: 'redis://h', REDIS_URL_FILE: file('r', 'redis://h') })).toEqual([
      'REDIS_URL and REDIS_URL_FILE are both set: unset one of them',
    ]);
    const empty = problems({ CAUDAL_HOST: '0.0.0.0', CAUDAL_TOKENS_FILE: file('empty', '\n') });
    expect(empty[0]).toContain('CAUDAL_TOKENS names no token');
  });
});

describe('isLoopback', () => {
  it.each(['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'localhost'])('%s is', (host) =>
    expect(isLoopback(host)).toBe(true),
  );
  it.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.evil.com', 'localhost.evil.com', '128.0.0.1'])('%s is not', (host) =>
    expect(isLoopback(host)).toBe(false),
  );
});

describe('redact', () => {
  it.each([
    ['redis://u:p@h:1/2', 'redis://***@h:1/2'],
    ['rediss://:p@ss@h', 'rediss://***@h'],
    ['redis://h:1', 'redis://h:1'],
    ['two redis://a:b@c and redis://d:e@f', 'two redis://***@c and redis://***@f'],
    ['mail a@b.c', 'mail a@b.c'],
  ])('%s', (text, hidden) => expect(redact(text)).toBe(hidden));
});

describe('CONFIG_VARIABLES', () => {
  it('explains each one, and keeps its default for its own schema', () => {
    const named = Object.fromEntries(
      CONFIG_VARIABLES.flatMap((row) => (row.default === null ? [] : [[row.name, row.default]])),
    );
    expect(CONFIG_VARIABLES.every((row) => row.meaning.length > 10)).toBe(true);
    const secrets = ['KAFKA_SASL_PASSWORD', 'REDIS_URL', 'CAUDAL_TOKENS', 'CAUDAL_NOTIFY_SECRET'];
    expect(CONFIG_VARIABLES.filter((row) => row.secret).map((row) => row.name)).toEqual(secrets);
    const names = CONFIG_VARIABLES.map((row) => row.name);
    for (const secret of secrets) expect(names).toContain(`${secret}_FILE`);
    expect(read(named)).toEqual(read({}));
  });
});

describe('readEnvironment', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'caudal-config-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('puts the environment over the .env of the clone, but nothing empty', () => {
    writeFileSync(join(root, '.env'), 'CAUDAL_PORT=1\nLOG_LEVEL=debug\nREDIS_URL="redis://h"\n');
    expect(readEnvironment(root, { CAUDAL_PORT: '2', LOG_LEVEL: '' })).toMatchObject({
      CAUDAL_PORT: '2',
      LOG_LEVEL: 'debug',
      REDIS_URL: 'redis://h',
    });
  });

  it('needs no .env, and says when it cannot be read', () => {
    expect(readEnvironment(root, { LOG_LEVEL: 'warn' })).toEqual({ LOG_LEVEL: 'warn' });
    mkdirSync(join(root, '.env'));
    expect(() => readEnvironment(root, {})).toThrow(ConfigError);
  });
});

describe('configOrExit', () => {
  const given = process.env.CAUDAL_PORT;
  afterEach(() => {
    jest.restoreAllMocks();
    if (given === undefined) delete process.env.CAUDAL_PORT;
    else process.env.CAUDAL_PORT = given;
  });

  it('prints what is wrong, and ends with code 2', () => {
    process.env.CAUDAL_PORT = 'x';
    let printed = '';
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    });
    const exit = jest.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    configOrExit('ingest');
    expect(exit).toHaveBeenCalledWith(2);
    expect(printed).toMatch(/^ingest cannot start:\nCAUDAL_PORT="x" must be/);
  });

  it('answers the configuration when it is good', () => {
    process.env.CAUDAL_PORT = '8123';
    expect(configOrExit('ingest').port).toBe(8123);
  });
});
