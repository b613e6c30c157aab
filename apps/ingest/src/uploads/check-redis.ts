// First step of every run: Redis must answer, as the old job's health check did. Three tries, some seconds apart.

export const REDIS_TRIES = 3;

export interface RedisCheck {
  /** Resolves once the first try has an answer: true when Redis is there. */
  first: Promise<boolean>;
  /** Resolves when Redis has answered; rejects after the last try. */
  done: Promise<void>;
}

/** Pings up to {@link REDIS_TRIES} times, `delayMs` apart; `onRetry` is told of each failure but the last. */
export function checkRedis(args: {
  ping: () => Promise<void>;
  delayMs: number;
  onRetry: (attempt: number, error: Error) => void;
}): RedisCheck {
  const firstTry = args.ping().then(
    () => null,
    (error: unknown) => error as Error,
  );
  const done = (async () => {
    let failure = await firstTry;
    for (let attempt = 1; failure !== null; attempt++) {
      if (attempt >= REDIS_TRIES) throw failure;
      args.onRetry(attempt, failure);
      await new Promise((resolve) => setTimeout(resolve, args.delayMs));
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
