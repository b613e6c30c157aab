import { jest } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { ConfigError } from './config.js';
import { createLogger } from './logger.js';
import { runService, type RunningService, type ServiceProcess, type StartContext } from './shutdown.js';

/** A process that only remembers how it was ended. */
class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  printed = '';
  readonly stderr = { write: (text: string) => (this.printed += text) };
  exit(code: number): void {
    this.exits.push(code);
  }
  getActiveResourcesInfo(): string[] {
    return ['Timeout', 'TCPSocketWrap', 'Timeout'];
  }
}

interface Line {
  level: string;
  msg: string;
  active?: object;
}

let host: FakeProcess;
let texts: string[] = [];

function run(start: (context: StartContext) => Promise<RunningService>): Promise<void> {
  const logger = createLogger({ service: 'spec', level: 'info' }, { write: (text: string) => void texts.push(text) });
  return runService({ name: 'spec', logger, start }, host as unknown as ServiceProcess);
}
const lines = (): Line[] => texts.map((text) => JSON.parse(text) as Line);
const messages = (): string[] => lines().map(({ msg }) => msg);
const settle = () => jest.advanceTimersByTimeAsync(0);

beforeEach(() => {
  host = new FakeProcess();
  texts = [];
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a signal', () => {
  it.each(['SIGTERM', 'SIGINT'])('%s stops and ends with 0', async (signal) => {
    let stops = 0;
    await run(async () => ({ stop: async () => void (stops += 1) }));
    expect(host.exits).toEqual([]);
    host.emit(signal);
    await settle();
    expect([stops, host.exits]).toEqual([1, [0]]);
    expect(messages()).toEqual(['spec has started', 'spec stops', 'spec has stopped']);
  });

  it('ends with 1 and what hung when the stop takes more than ten seconds', async () => {
    await run(async () => ({ stop: () => new Promise(() => undefined) }));
    host.emit('SIGTERM');
    await jest.advanceTimersByTimeAsync(9_999);
    expect(host.exits).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(host.exits).toEqual([1]);
    expect(lines().at(-1)).toMatchObject({ level: 'error', active: { Timeout: 2, TCPSocketWrap: 1 } });
  });

  it('that is the second one ends at once', async () => {
    await run(async () => ({ stop: () => new Promise(() => undefined) }));
    host.emit('SIGTERM');
    host.emit('SIGINT');
    expect(host.exits).toEqual([1]);
  });

  it('ends with 1 when the stop fails', async () => {
    await run(async () => ({ stop: () => Promise.reject(new Error('no')) }));
    host.emit('SIGTERM');
    await settle();
    expect(host.exits).toEqual([1]);
  });

  it('during the start stops what has been started', async () => {
    let started: (service: RunningService) => void = () => undefined;
    let stops = 0;
    const running = run(() => new Promise((resolve) => (started = resolve)));
    host.emit('SIGTERM');
    await settle();
    expect(host.exits).toEqual([]);
    started({ stop: async () => void (stops += 1) });
    await running;
    await settle();
    expect([stops, host.exits]).toEqual([1, [0]]);
  });

  it('between two tries to start ends the trying', async () => {
    let starts = 0;
    const running = run(() => {
      starts += 1;
      return Promise.reject(Object.assign(new Error('away'), { code: 'kafka_unavailable', retriable: true }));
    });
    await settle();
    host.emit('SIGTERM');
    await jest.advanceTimersByTimeAsync(10_000);
    await running;
    expect([starts, host.exits]).toEqual([1, [0]]);
  });
});

describe('a fatal error', () => {
  it.each(['uncaughtException', 'unhandledRejection'])(
    'by %s stops what can be stopped and ends with 1',
    async (event) => {
      let stops = 0;
      await run(async () => ({ stop: async () => void (stops += 1) }));
      host.emit(event, new Error('broken'));
      host.emit(event, new Error('and more'));
      host.emit('SIGTERM');
      await settle();
      expect([stops, host.exits]).toEqual([1, [1]]);
      expect(lines()[1]).toMatchObject({ level: 'fatal', err: { message: 'broken' } });
    },
  );

  it('by the service itself does the same', async () => {
    let fatal: StartContext['fatal'] = () => undefined;
    await run(async (context) => {
      fatal = context.fatal;
      return { stop: async () => undefined };
    });
    fatal(new Error('fenced for good'));
    await settle();
    expect(host.exits).toEqual([1]);
  });
});

describe('a start that fails', () => {
  it('for its configuration prints why and ends with 2', async () => {
    await run(() => Promise.reject(new ConfigError(['CAUDAL_PORT="x" must be a number', 'and more'])));
    expect(host.exits).toEqual([2]);
    expect(host.printed).toBe('spec cannot start:\nCAUDAL_PORT="x" must be a number\nand more\n');
    expect(texts).toEqual([]);
  });

  it('for a pipeline file ends with 2, for another lasting reason with 1, without showing secrets', async () => {
    const fails = (code: string) => () =>
      Promise.reject(Object.assign(new Error('see redis://u:hunter2@h'), { code, retriable: false }));
    await run(fails('invalid_pipeline_file'));
    await run(fails('redis_refused'));
    expect(host.exits).toEqual([2, 1]);
    expect(host.printed).not.toContain('hunter2');
  });

  it('for a taken port says what to do', async () => {
    await run(() =>
      Promise.reject(Object.assign(new Error('listen EADDRINUSE 127.0.0.1:8080'), { code: 'EADDRINUSE' })),
    );
    expect(host.exits).toEqual([1]);
    expect(host.printed).toMatch(/8080: .*CAUDAL_PORT/);
  });

  it('for a fault of ours is logged with its stack and ends with 1', async () => {
    await run(() => Promise.reject(new TypeError('x is not a function')));
    expect(host.exits).toEqual([1]);
    expect(lines()[0]).toMatchObject({ level: 'fatal', err: { type: 'TypeError', stack: expect.any(String) } });
  });

  it('since Kafka is away is tried again, and goes on when it is there', async () => {
    let starts = 0;
    const running = run(async () => {
      starts += 1;
      if (starts < 4) throw Object.assign(new Error('away'), { code: 'kafka_unavailable', retriable: true });
      return { stop: async () => undefined };
    });
    await jest.advanceTimersByTimeAsync(10_000);
    await running;
    expect([starts, host.exits]).toEqual([4, []]);
    expect(lines().filter(({ level }) => level === 'warn')).toHaveLength(3);
  });

  it('since Kafka is away ends with 1 after a minute', async () => {
    const running = run(() =>
      Promise.reject(Object.assign(new Error('away'), { code: 'kafka_unavailable', retriable: true })),
    );
    await jest.advanceTimersByTimeAsync(56_000);
    expect(host.exits).toEqual([]);
    await jest.advanceTimersByTimeAsync(4_000);
    await running;
    expect(host.exits).toEqual([1]);
  });
});
