// What the scripts make of .env and the environment, before anything is started.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDir, givenRedisUrl, readEnv, root, secretOf, stateDir, tokenFor } from '../../scripts/read-env.mjs';

describe('readEnv', () => {
  const dir = mkdtempSync(join(tmpdir(), 'caudal-env-'));
  const file = join(dir, '.env');
  afterAll(() => rmSync(dir, { recursive: true }));

  it('lets the environment win over .env, and counts an empty variable as not set', () => {
    writeFileSync(file, '# comment\nCAUDAL_PORT=9000\nREDIS_URL="redis://a b"\nKAFKA_BROKERS=from-file:9092\nEMPTY=\n');
    expect(readEnv({ CAUDAL_PORT: '9001', KAFKA_BROKERS: '' }, file)).toEqual({
      CAUDAL_PORT: '9001',
      REDIS_URL: 'redis://a b',
      KAFKA_BROKERS: 'from-file:9092',
    });
  });

  it('does without .env, but not with one that cannot be read', () => {
    expect(readEnv({ A: '1' }, join(dir, 'none'))).toEqual({ A: '1' });
    expect(() => readEnv({}, dir)).toThrow(`Cannot read ${dir}`);
  });
});

describe('folders and addresses', () => {
  it('takes folders from the clone, the cache from home', () => {
    expect(stateDir({})).toBe(join(root, '.caudal'));
    expect(stateDir({ CAUDAL_STATE_DIR: 'x/y' })).toBe(join(root, 'x', 'y'));
    expect(cacheDir({})).toBe(join(homedir(), '.cache', 'caudal'));
    expect(cacheDir({ CAUDAL_CACHE: '/elsewhere' })).toBe('/elsewhere');
  });

  it('takes Redis from REDIS_URL before its parts; a database alone names no server', () => {
    expect(givenRedisUrl({ REDIS_URL: 'redis://u:1', REDIS_HOST: 'h' })).toBe('redis://u:1');
    expect(givenRedisUrl({ REDIS_HOST: 'h', REDIS_DB: '3' })).toBe('redis://h:6379/3');
    expect(givenRedisUrl({ REDIS_PORT: '7' })).toBe('redis://127.0.0.1:7/0');
    expect(givenRedisUrl({ REDIS_DB: '3' })).toBeUndefined();
  });
});

describe('secrets', () => {
  const dir = mkdtempSync(join(tmpdir(), 'caudal-secret-'));
  const file = join(dir, 'secret');
  afterAll(() => rmSync(dir, { recursive: true }));

  it('come from their variable or from a file', () => {
    writeFileSync(file, 'redis://h:1\n');
    expect([secretOf({ X: 'a' }, 'X'), secretOf({}, 'X')]).toEqual(['a', undefined]);
    expect(givenRedisUrl({ REDIS_URL_FILE: file })).toBe('redis://h:1');
  });

  it('the token for a scope is the first that has it; none where nobody is asked', () => {
    const tokens = { CAUDAL_TOKENS: 'a:read:one,b:upload+read:two:three\nc:upload:four' };
    expect([tokenFor(tokens, 'upload'), tokenFor(tokens, 'read'), tokenFor({}, 'upload')]).toEqual([
      'two:three',
      'one',
      undefined,
    ]);
    expect(() => tokenFor(tokens, 'admin')).toThrow('no token with the scope "admin"');
  });
});
