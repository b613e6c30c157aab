import { RedisError, refusal, toRedisError } from './errors.js';

const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

describe('toRedisError', () => {
  it.each([
    ['OOM command not allowed', 'redis_refused', true],
    ["@user_script: 12: -OOM command not allowed when used memory > 'maxmemory'.", 'redis_refused', true],
    ["READONLY You can't write against a read only replica.", 'redis_refused', true],
    ['LOADING Redis is loading the dataset in memory', 'redis_refused', true],
    ['MISCONF Redis is configured to save RDB snapshots', 'redis_refused', true],
    ['NOAUTH Authentication required.', 'redis_refused', false],
    ['WRONGPASS invalid username-password pair', 'redis_refused', false],
    ['ERR unknown command', 'redis_refused', false],
    ['ERR no LOADINGS here', 'redis_refused', false],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'redis_wrong_type', false],
  ])('of the answer %j is %s, retriable %s', (message, code, retriable) => {
    const cause = reply(message);
    expect(toRedisError(cause)).toMatchObject({ name: 'RedisError', code, retriable, cause });
  });

  it('of anything else is a Redis that is away', () => {
    expect(toRedisError(new Error('Command timed out'))).toMatchObject({ code: 'redis_away', retriable: true });
    expect(toRedisError('what')).toMatchObject({ code: 'redis_away', message: expect.stringContaining('what') });
  });

  it('leaves a RedisError as it is', () => {
    const error = new RedisError('redis_away', 'x', { retriable: true });
    expect(toRedisError(error)).toBe(error);
  });

  it('says what to do next', () => {
    expect(refusal('OOM command not allowed').message).toContain('maxmemory');
    expect(refusal('WRONGPASS no').message).toContain('REDIS_URL');
  });
});
