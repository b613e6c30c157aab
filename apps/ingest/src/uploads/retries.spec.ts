// What is tried again, how often, and what never is.
import { Problem } from '../problem.js';
import { ONCE, withRetries } from './retries.js';

const passing = () => Object.assign(new Error('away'), { retriable: true });

function attempts(failures: unknown[], retries = { attempts: 3, delayMs: 0 }, stop = new AbortController().signal) {
  const told: string[] = [];
  let tried = 0;
  const result = withRetries({
    retries,
    stop,
    onRetry: (error) => told.push(error.message),
    attempt: async () => {
      tried++;
      const failure = failures.shift();
      if (failure) throw failure;
      return 'done';
    },
  });
  return result.then(
    (value) => ({ value, tried, told }),
    (error: unknown) => ({ error, tried, told }),
  );
}

describe('withRetries', () => {
  it('tries passing faults again, and tells of each', async () => {
    const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
    expect(await attempts([passing(), full])).toEqual({ value: 'done', tried: 3, told: ['away', 'full'] });
  });

  it('gives up after so many attempts with the last error', async () => {
    expect(await attempts([passing(), passing(), new Error('last')])).toMatchObject({
      tried: 3,
      error: { message: 'last' },
    });
    expect(await attempts([passing()], ONCE)).toMatchObject({ tried: 1, error: { message: 'away' } });
  });

  it.each([
    ['a fault of the data', new Error('bad')],
    ['what is refused for good', Object.assign(new Error('no'), { retriable: false })],
    ['an answer to a sender', new Problem(503, 'disk_full', 'full')],
  ])('does not try again: %s', async (_, error) => {
    expect(await attempts([error])).toMatchObject({ tried: 1, error });
  });

  it('ends its waiting when the service stops', async () => {
    const stop = new AbortController();
    const trying = attempts([passing()], { attempts: 2, delayMs: 3_600_000 }, stop.signal);
    setImmediate(() => stop.abort());
    expect(await trying).toMatchObject({ tried: 1, error: { name: 'AbortError' } });
  });
});
