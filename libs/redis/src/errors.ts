// Every failure that leaves libs/redis is a RedisError: whoever holds an offset asks `retriable`, nobody parses texts.

export type RedisErrorCode = 'redis_away' | 'redis_wrong_type' | 'redis_refused';

/**
 * `redis_away`: no answer (not connected, connection lost, timed out; a timed-out command may still run).
 * `redis_wrong_type`: the key holds another type. `redis_refused`: Redis answered that it will not (OOM, READONLY,
 * LOADING, MISCONF: retriable; a wrong password, a missing right, a fault of ours: not).
 */
export class RedisError extends Error {
  readonly code: RedisErrorCode;
  readonly retriable: boolean;

  constructor(code: RedisErrorCode, message: string, options: { retriable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'RedisError';
    this.code = code;
    this.retriable = options.retriable;
  }
}

// What Redis answers while it cannot do now what it may do later, and what a person does about it.
const PASSING: Readonly<Record<string, string>> = {
  OOM: 'raise its maxmemory or free memory',
  READONLY: 'it is a replica: point REDIS_URL at the primary',
  LOADING: 'it still loads its data: wait',
  MISCONF: 'it cannot save to disk: look at its disk and its log',
  NOREPLICAS: 'too few of its replicas are connected',
  MASTERDOWN: 'it is a replica without its primary',
  BUSY: 'another script blocks it',
  TRYAGAIN: 'its slots are being moved: wait',
  CLUSTERDOWN: 'its cluster is down',
};
const LASTING: Readonly<Record<string, string>> = {
  NOAUTH: 'give user and password in REDIS_URL',
  WRONGPASS: 'user or password in REDIS_URL are wrong',
  NOPERM: 'the user in REDIS_URL lacks a right that Caudal needs',
};
// Inside a script Redis puts `@user_script: 12: -` before the code.
const CODE = new RegExp(`(?:^|[\\s-])(WRONGTYPE|${[...Object.keys(PASSING), ...Object.keys(LASTING)].join('|')})\\b`);

/** What Redis said no with, as a RedisError. */
export function refusal(message: string, cause?: unknown): RedisError {
  const text = message.trim();
  const word = CODE.exec(text)?.[1];
  if (word === 'WRONGTYPE') {
    return new RedisError('redis_wrong_type', `the key holds another type than a hash (${text}): rename or delete it`, {
      retriable: false,
      cause,
    });
  }
  const advice = word === undefined ? undefined : (PASSING[word] ?? LASTING[word]);
  return new RedisError('redis_refused', `Redis refused (${text}): ${advice ?? 'see its log'}`, {
    retriable: word !== undefined && word in PASSING,
    cause,
  });
}

/** Turns whatever ioredis rejects with into a RedisError; a RedisError stays the same object. */
export function toRedisError(error: unknown): RedisError {
  if (error instanceof RedisError) return error;
  if (error instanceof Error && error.name === 'ReplyError') return refusal(error.message, error);
  const text = error instanceof Error ? error.message : String(error);
  return new RedisError('redis_away', `Redis does not answer (${text}): is it running at REDIS_URL?`, {
    retriable: true,
    cause: error,
  });
}
