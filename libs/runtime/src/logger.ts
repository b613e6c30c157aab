// Logs: one JSON object a line on stdout. What may hold a secret or a cell of somebody's file is left out by name.
import type { LoggerService } from '@nestjs/common';
import { pino, type DestinationStream, type Logger } from 'pino';
import { redact } from './config.js';

export type { Logger } from 'pino';

const SECRETS = [
  'password',
  'token',
  'tokens',
  'authorization',
  'redisUrl',
  'REDIS_URL',
  'CAUDAL_TOKENS',
  'secret',
  'notifySecret',
];
const CELLS = ['raw', 'cells', 'values', 'row_json'];
const HIDDEN = [...SECRETS, ...CELLS];

/** `logger.child({ run })` binds a run. `destination` is stdout when none is given. */
export function createLogger(
  { service, level }: { service: string; level: string },
  destination?: DestinationStream,
): Logger {
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: HIDDEN.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[hidden]' },
      serializers: { err: describeError, error: describeError },
    },
    // Written at once: a line about why a process dies must not die with it.
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

interface ErrorFields {
  type: string;
  message: string;
  code?: unknown;
  retriable?: unknown;
  stack?: string;
  cause?: unknown;
}

const CAUSES_MAX = 5;

/** Named fields only: ioredis hangs a failed command's arguments on its errors, which are passwords and cells. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? redact(error) : error;
  const { code, retriable } = error as { code?: unknown; retriable?: unknown };
  const fields: ErrorFields = { type: error.name, message: redact(error.message) };
  if (code !== undefined) fields.code = code;
  if (retriable !== undefined) fields.retriable = retriable;
  if (error.stack !== undefined) fields.stack = redact(error.stack);
  if (error.cause !== undefined && depth < CAUSES_MAX) fields.cause = describeError(error.cause, depth + 1);
  return fields;
}

/** Nest's own log lines through our logger. Nest gives the context as the last string. */
export function nestLogger(logger: Logger): LoggerService {
  const write = (level: 'info' | 'warn' | 'error' | 'debug' | 'trace' | 'fatal') => {
    return (message: unknown, ...details: unknown[]): void => {
      const context = typeof details.at(-1) === 'string' ? details.at(-1) : undefined;
      const stack = details.slice(0, -1).find((detail) => typeof detail === 'string');
      const fields = { ...(context === undefined ? {} : { context }), ...(stack === undefined ? {} : { stack }) };
      if (message instanceof Error) logger[level]({ ...fields, err: message }, message.message);
      else logger[level](fields, typeof message === 'string' ? message : JSON.stringify(message));
    };
  };
  return {
    log: write('info'),
    warn: write('warn'),
    error: write('error'),
    debug: write('debug'),
    verbose: write('trace'),
    fatal: write('fatal'),
  };
}

type KafkaLine = (message: string, fields?: Record<string, unknown>) => void;

/** What libs/kafka logs through: message first, as kafkajs has it. */
export function kafkaLogger(logger: Logger): Record<'debug' | 'info' | 'warn' | 'error', KafkaLine> {
  const own = logger.child({ part: 'kafka' });
  const write = (level: 'debug' | 'info' | 'warn' | 'error'): KafkaLine => {
    return (message, fields) => own[level](fields ?? {}, message);
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
