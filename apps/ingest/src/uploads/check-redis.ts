// First step of every run: Redis must answer, as the old job's health check did. Three tries, some seconds apart, or as
// the pipeline's `retries` says.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Retries } from '#contracts';

export const REDIS_TRIES = 3;

export interface RedisCheck {
  /** Resolves once the first try has an answer: true when Redis is there. */
  first: Promise<boolean>;
  /** Resolves when Redis has answered; rejects after the last try. */
  done: Promise<void>;
}

/** Pings up to so many times, `delayMs` apart; `onRetry` is told of each failure but the last. */
export function checkRedis(args: {
  ping: () => Promise<void>;
  retries: Retries;
  /** Ends the waiting between two tries: `done` rejects. */
  stop: AbortSignal;
  onRetry: (error: Error) => void;
}): RedisCheck {
  const firstTry = args.ping().then(
    () => null,
    (error: unknown) => error as Error,
  );
  const done = (async () => {
    let failure = await firstTry;
    for (let attempt = 1; failure !== null; attempt++) {
      if (attempt >= args.retries.attempts) throw failure;
      args.onRetry(failure);
      await sleep(args.retries.delayMs, undefined, { signal: args.stop });
      failure = await args.ping().then(
        () => null,
        (error: unknown) => error as Error,
      );
    }
  })();
  // Whoever needs the outcome awaits it; until then a failure must not count as unhandled.
  done.catch(() => undefined);
  return { first: firstTry.then((failure) => failure === null), done };
}
