// Passing faults (a full disk, Redis or Kafka away) are tried again, as the pipeline's `retries` says; faults of the data
// never are.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Retries } from '#contracts';
import { Problem } from '../problem.js';

export const ONCE: Retries = { attempts: 1, delayMs: 0 };

const PASSING_CODES = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY']);

/** Whether trying again can help. A {@link Problem} is an answer to a sender: it has to send again. */
function isPassing(error: unknown): boolean {
  if (error instanceof Problem) return false;
  const { code, retriable } = error as { code?: unknown; retriable?: unknown };
  return retriable === true || (typeof code === 'string' && PASSING_CODES.has(code));
}

/** Runs `attempt` until it succeeds, fails for good, has failed `attempts` times, or `stop` aborts. Throws its last error. */
export async function withRetries<T>(args: {
  retries: Retries;
  attempt: () => Promise<T>;
  /** Told of each failure but the last. */
  onRetry: (error: Error) => void;
  stop: AbortSignal;
}): Promise<T> {
  const { retries, stop } = args;
  for (let tried = 1; ; tried++) {
    try {
      return await args.attempt();
    } catch (error) {
      if (tried >= retries.attempts || stop.aborted || !isPassing(error)) throw error;
      args.onRetry(error as Error);
      await sleep(retries.delayMs, undefined, { signal: stop });
    }
  }
}
