// The clock is the test's: nothing here waits, and nothing depends on how fast it runs.
import { jest } from '@jest/globals';
import { Pace, type PacedRequest } from './pace.js';

const LIMITS = { bodyBytesPerSecond: 1_000, slowBodyMs: 30_000, bodyMs: 600_000 };

describe('Pace', () => {
  let stop: AbortController;
  let request: { -readonly [K in keyof PacedRequest]: PacedRequest[K] } & { readableLength: number; paused: boolean };
  beforeEach(() => {
    jest.useFakeTimers();
    stop = new AbortController();
    request = {
      complete: false,
      readableLength: 0,
      paused: false,
      isPaused: () => request.paused,
      socket: { bytesRead: 500 },
    };
  });
  afterEach(() => jest.useRealTimers());
  const open = (limits = LIMITS) => new Pace(request, limits, stop.signal);
  /** Lets seconds pass, in each of which so many bytes come. */
  const pass = (seconds: number, bytes: number) => {
    for (let second = 0; second < seconds; second++) {
      request.socket.bytesRead += bytes;
      jest.advanceTimersByTime(1_000);
    }
  };

  it('ends a body below the rate over the window, and not before it is over', () => {
    const pace = open();
    pass(29, 999);
    expect(pace.signal.aborted).toBe(false);
    pass(2, 999);
    expect(pace.signal.reason).toMatchObject({ status: 408, code: 'too_slow' });
  });

  it('lets a body pass that is fast enough over any window, pauses and all', () => {
    const pace = open();
    for (let n = 0; n < 10; n++) {
      pass(20, 0);
      pass(1, 40_000);
    }
    expect(pace.signal.aborted).toBe(false);
    pass(40, 0);
    expect(pace.signal.aborted).toBe(true);
  });

  it('does not count time in which we take nothing', () => {
    const pace = open();
    request.readableLength = 16_384;
    pass(60, 0);
    request.readableLength = 0;
    request.paused = true;
    pass(60, 0);
    request.paused = false;
    pass(20, 0);
    expect(pace.signal.aborted).toBe(false);
    pass(20, 0);
    expect(pace.signal.aborted).toBe(true);
  });

  it('ends a body that takes too long in all, however fast it is', () => {
    const pace = open();
    pass(599, 1_000_000);
    expect(pace.signal.aborted).toBe(false);
    pass(2, 1_000_000);
    expect(pace.signal.reason).toMatchObject({ status: 408, code: 'too_slow' });
  });

  it('with no minimum lets everything pass but silence for ever', () => {
    const pace = open({ ...LIMITS, bodyBytesPerSecond: 0 });
    pass(500, 0);
    expect(pace.signal.aborted).toBe(false);
  });

  it('is quiet once the body has come or the end was told; a stop ends it', () => {
    const done = open();
    request.complete = true;
    pass(100, 0);
    expect(done.signal.aborted).toBe(false);
    request.complete = false;
    const over = open();
    over.end();
    pass(700, 0);
    stop.abort();
    expect(over.signal.aborted).toBe(false);
    expect(open().signal.aborted).toBe(true);
  });
});
