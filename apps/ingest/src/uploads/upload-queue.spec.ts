// The queue with a publisher and a store that the test moves: order, retries, and when it gives up.
import type { StoredRun, UploadProgress } from '#contracts';
import { foldRun, newRun, type RunEvent } from '../runs/fold-run.js';
import type { RunStore } from '../runs/run-store.js';
import type { Publisher } from './publisher.js';
import type { Spool } from './spool.js';
import { UploadQueue } from './upload-queue.js';

const made = (id: string): StoredRun => ({
  ...newRun({ id, pipeline: 'p', pipelineText: '', fileName: null, saveToDb: true, createdAtMs: 0 }),
  state: 'queued',
});
const ended: UploadProgress = {
  next_row: 2,
  published: 1,
  rejected: 0,
  sequence: 1,
  stream_time: null,
  order: 'any',
  rows_in_partition: [1],
  ended: true,
  dead_letters: null,
};

/** A queue over fakes that write down what was done. */
function setUp(failures: Error[] = []) {
  const done: string[] = [];
  const fatal: unknown[] = [];
  const runs = new Map<string, StoredRun>();
  let gate = Promise.resolve();
  const publisher = {
    refusal: null,
    open: async () => void done.push('open'),
    close: async () => void done.push('close'),
    progressOf: () => undefined,
    knownRuns: () => ['old'],
    forget: (run: string) => void done.push(`forget ${run}`),
    nextSequence: () => 1,
    reset: async (from: readonly bigint[]) => {
      done.push(`reset ${from.join()}`);
      return { generation: 2 };
    },
    publish: async ({ run, onProgress }: { run: string; onProgress: (progress: UploadProgress) => void }) => {
      await gate;
      const failure = failures.shift();
      if (failure) throw failure;
      onProgress(ended);
      done.push(`publish ${run}`);
      return ended;
    },
  };
  const store = {
    get: (id: string) => runs.get(id),
    apply: async (id: string, event: RunEvent) => {
      done.push(`${event.type} ${id}`);
      const run = foldRun(runs.get(id)!, event);
      runs.set(id, run);
      return run;
    },
    foldReports: async () => undefined,
  };
  const queue = new UploadQueue({
    publisher: publisher as unknown as Publisher,
    store: store as unknown as RunStore,
    spool: {
      typedPath: () => '',
      remove: async (id: string) => void done.push(`remove ${id}`),
    } as unknown as Spool,
    expects: { rows: 1 },
    now: () => 0,
    log: { warn: () => undefined },
    onFatal: (error) => fatal.push(error),
  });
  const add = (id: string) => {
    runs.set(id, made(id));
    queue.add(id);
  };
  /** Everything that is queued has been looked at when a last run is published. */
  const settled = async () => {
    for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
  };
  const hold = () => {
    let release = (): void => undefined;
    gate = new Promise((resolve) => (release = resolve));
    return release;
  };
  return {
    queue,
    add,
    done,
    fatal,
    runs,
    settled,
    hold,
    published: () => done.filter((what) => what.startsWith('publish ')),
  };
}

describe('UploadQueue', () => {
  it('publishes one after the other, in the order they came, and removes what is published', async () => {
    const { add, done, settled, published } = setUp();
    for (const id of ['A', 'B', 'C']) add(id);
    await settled();
    expect(published()).toEqual(['publish A', 'publish B', 'publish C']);
    expect(done.indexOf('remove A')).toBeLessThan(done.indexOf('publishing B'));
    expect(done).toContain('forget old');
  });

  it('goes on after a run that has ended or is not known', async () => {
    const { queue, add, runs, settled, published } = setUp();
    runs.set('over', { ...made('over'), state: 'failed' });
    queue.add('over');
    queue.add('unknown');
    await settled();
    add('A');
    await settled();
    expect(published()).toEqual(['publish A']);
  });

  it('opens the publisher again after a failure and tries the same run, before any other', async () => {
    const { add, done, fatal, published } = setUp([new Error('away')]);
    add('A');
    add('B');
    for (let turns = 0; published().length < 2 && turns < 200; turns++) await new Promise((go) => setTimeout(go, 20));
    expect(published()).toEqual(['publish A', 'publish B']);
    expect(done.indexOf('open')).toBeLessThan(done.indexOf('publish A'));
    expect(fatal).toEqual([]);
  });

  it('interrupts a run whose file is gone, and takes the next', async () => {
    const { add, done, settled, published } = setUp([Object.assign(new Error('gone'), { code: 'ENOENT' })]);
    add('A');
    add('B');
    await settled();
    expect(done).toContain('interrupted A');
    expect(published()).toEqual(['publish B']);
  });

  it('ends the process when it is fenced, and publishes nothing more', async () => {
    const { add, fatal, settled, published } = setUp([Object.assign(new Error('fenced'), { code: 'fenced' })]);
    add('A');
    add('B');
    await settled();
    expect(fatal).toHaveLength(1);
    expect(published()).toEqual([]);
  });

  it('asks where a reset begins while nothing is published, and publishes nothing before it', async () => {
    const { queue, add, done, settled, published } = setUp();
    let answer = (_from: bigint[]): void => undefined;
    const resetting = queue.reset(() => new Promise((resolve) => (answer = resolve)));
    add('A');
    await settled();
    expect(published()).toEqual([]);
    answer([7n, 9n]);
    expect(await resetting).toEqual({ generation: 2 });
    await settled();
    expect(done.filter((what) => /^reset|^publish /.test(what))).toEqual(['reset 7,9', 'publish A']);
    await expect(queue.reset(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    add('B');
    expect(await queue.reset(async () => [])).toBeNull();
    await settled();
    expect(published()).toEqual(['publish A', 'publish B']);
  });

  it('stops after the transaction under way; what waits stays for the restart', async () => {
    const { queue, add, done, hold, settled, published } = setUp();
    const release = hold();
    add('A');
    add('B');
    await settled();
    const stopped = queue.stop();
    release();
    await stopped;
    expect(published()).toEqual([]);
    expect(done).toContain('progress A');
    expect(done).not.toContain('published A');
    expect(done.at(-1)).toBe('close');
  });
});
