// The store over a log in memory: what it loads, what it writes, and which reports end which run.
import { knownFileKey, reportKey, type Report } from '#contracts';
import type { KafkaClient, KafkaRecord, OutRecord } from '#kafka';
import { newRun, type RunEvent } from './fold-run.js';
import { RunStore } from './run-store.js';

/** Stands in for Kafka: one partition, transactions, one follower. */
class Log {
  records: KafkaRecord[] = [];
  transactions = 0;
  failures: Error[] = [];
  fenced = 0;
  private follower: ((records: KafkaRecord[]) => void) | null = null;

  get client(): KafkaClient {
    return {
      openTransactional: async () => {
        this.fenced++;
        return {
          begin: async () => {
            let sent: readonly OutRecord[] = [];
            const send = async (records: readonly OutRecord[]) => void (sent = records);
            return { send, commit: async () => this.commit(sent) };
          },
          close: async () => undefined,
        };
      },
      readPartition: async ({ onRecord }: { onRecord: (record: KafkaRecord) => void }) => {
        for (const record of this.records) onRecord(record);
        return { next: BigInt(this.records.length), records: this.records.length };
      },
      tailPartition: ({ onRecords, signal }: { onRecords: (records: KafkaRecord[]) => void; signal: AbortSignal }) => {
        this.follower = onRecords;
        return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    } as unknown as KafkaClient;
  }

  /** What somebody else writes. */
  append(key: string, value: object | null): void {
    const record = this.add(key, value === null ? null : JSON.stringify(value));
    this.follower?.([record]);
  }

  valueOf(key: string): unknown {
    const value = this.records.findLast((record) => record.key!.toString() === key)?.value;
    return value ? JSON.parse(value.toString()) : value;
  }

  private commit(sent: readonly OutRecord[]): void {
    const failure = this.failures.shift();
    if (failure) throw failure;
    this.transactions++;
    for (const { key, value } of sent) this.add(key as string, value as string | null);
  }

  private add(key: string, value: string | null): KafkaRecord {
    const record: KafkaRecord = {
      topic: 'runs',
      partition: 0,
      offset: BigInt(this.records.length),
      timestampMs: 0,
      headers: {},
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    };
    this.records.push(record);
    return record;
  }
}

const never = new AbortController().signal;
const run = (id: string, saveToDb = true) =>
  newRun({ id, pipeline: 'p', pipelineText: 'x', fileName: null, saveToDb, createdAtMs: 0 });
const report = (upload: string, partition: number, sequence: number, more: Partial<Report> = {}): Report => ({
  upload,
  pipeline: 'p',
  stage: 'rows',
  partition,
  sequence,
  written: 1,
  superseded: 0,
  failed: 0,
  failed_keys: [],
  late: 0,
  late_by_view: {},
  aggregated_at: 1,
  ...more,
});
const received: RunEvent = { type: 'received', sha256: 'sha', bytes: 1, at: 1 };
const publishing = (sequence: number): RunEvent => ({ type: 'publishing', sequence, at: 1 });
const published: RunEvent = { type: 'published', published: 1, expects: { rows: 2 }, deadLetters: null, at: 1 };
const failed: RunEvent = { type: 'ended', state: 'failed', error: { code: 'x', message: 'x', retriable: true }, at: 2 };

describe('RunStore', () => {
  let log: Log;
  let store: RunStore;
  let fatal: unknown[];
  const open = async () => {
    fatal = [];
    const options = { client: log.client, prefix: 'c', now: () => 1_000, onError: () => undefined };
    store = new RunStore({ ...options, onFatal: (error) => fatal.push(error) });
    await store.start();
  };
  /** What a restart finds. */
  const reopen = async () => {
    await store.close();
    await open();
  };
  beforeEach(async () => {
    log = new Log();
    await open();
  });
  afterEach(() => store.close());

  const add = async (id: string, ...events: RunEvent[]) => {
    await store.begin(run(id));
    store.show(id);
    for (const event of events) await store.apply(id, event);
  };

  const reported = (one: Report) => log.append(reportKey(one), one);

  it('lists newest first, by filter and page; hidden and removed runs never', async () => {
    for (const id of ['B', 'A', 'D', 'C']) await add(id);
    await store.begin(run('E'));
    store.remove('B');
    await store.apply('A', failed);
    const ids = (args: object) => store.list({ limit: 10, ...args }).map((one) => one.id);
    expect(ids({})).toEqual(['D', 'C', 'A']);
    expect(ids({ limit: 1 })).toEqual(['D']);
    expect(ids({ cursor: 'D' })).toEqual(['C', 'A']);
    expect(ids({ state: 'failed' })).toEqual(['A']);
    expect(ids({ pipeline: 'q' })).toEqual([]);
    expect([store.shown('E'), store.get('E')?.id]).toEqual([undefined, 'E']);
    expect(store.unfinished().map((one) => one.id)).toEqual(['C', 'D', 'E']);
    expect(store.countByState()).toEqual(
      new Map([
        ['failed', 1],
        ['received', 3],
      ]),
    );
  });

  it('writes what comes together in one transaction, the last value of a key', async () => {
    await add('A');
    const before = log.transactions;
    const [one, two] = [store.apply('A', received), store.apply('A', { type: 'queued', order: 1 })];
    store.rememberFile(store.get('A')!);
    await Promise.all([one, two]);
    expect(log.transactions).toBe(before + 1);
    expect(log.valueOf('A')).toMatchObject({ state: 'queued', sha256: 'sha' });
    expect(log.valueOf(knownFileKey('p', 'sha'))).toEqual({ run: 'A' });
  });

  it('knows after a restart what it knew before; hides what had not arrived whole', async () => {
    await add('A', received);
    store.rememberFile(store.get('A')!);
    await store.begin(run('B'));
    await reopen();
    expect(store.shown('A')).toMatchObject({ state: 'checking', bytes: 1 });
    expect([store.shown('B'), store.get('B')?.id]).toEqual([undefined, 'B']);
    expect(store.knownFile('p', 'sha')?.id).toBe('A');
    store.forgetFile(store.get('A')!);
    await store.apply('A', failed);
    await reopen();
    expect(store.knownFile('p', 'sha')).toBeUndefined();
  });

  it('knows a file whose mark was cut off by a crash', async () => {
    await add('A', received);
    await reopen();
    expect(store.knownFile('p', 'sha')?.id).toBe('A');
  });

  it('takes only its own mark away', async () => {
    await add('A', received);
    store.rememberFile(store.get('A')!);
    await add('B', received);
    store.forgetFile(store.get('B')!);
    expect(store.knownFile('p', 'sha')?.id).toBe('A');
  });

  it('completes a run with its reports, also those that came first, and tombstones them', async () => {
    await add('A', received, publishing(1));
    reported(report('A', 0, 1));
    await store.apply('A', published);
    await store.foldReports('A');
    expect(store.get('A')!.state).toBe('writing');
    reported(report('A', 1, 1));
    expect((await store.ended('A', 10_000, never))!.state).toBe('completed');
    await reopen();
    expect(store.get('A')).toMatchObject({ state: 'completed', features_written: 2 });
    expect(log.valueOf(reportKey(report('A', 0, 1)))).toBeNull();
    expect(log.valueOf(reportKey(report('A', 1, 1)))).toBeNull();
  });

  it('finds reports that came while it was away', async () => {
    await add('A', received, publishing(1), published);
    await store.close();
    for (const partition of [0, 1]) reported(report('A', partition, 1));
    await open();
    await store.foldReports('A');
    expect(store.get('A')!.state).toBe('completed');
  });

  it('takes a later report for a missing earlier one, without its counts', async () => {
    await add('A', received, publishing(1), published);
    await add('B', received, publishing(2), published);
    reported(report('A', 0, 1));
    reported(report('B', 1, 2));
    expect((await store.ended('A', 10_000, never))!).toMatchObject({ state: 'completed', features_written: 1 });
    reported(report('B', 0, 2));
    expect((await store.ended('B', 10_000, never))!).toMatchObject({ state: 'completed', features_written: 2 });
  });

  it('does not complete a resumed run by reports of uploads that went ahead of it', async () => {
    await add('A', received, publishing(1), { type: 'interrupted', at: 1 });
    await add('B', received, publishing(2), published);
    for (const partition of [0, 1]) reported(report('B', partition, 2));
    await store.ended('B', 10_000, never);
    for (const event of [{ type: 'resumed', at: 2 }, publishing(3), published] as RunEvent[])
      await store.apply('A', event);
    await store.foldReports('A');
    expect(store.get('A')!.state).toBe('aggregating');
    for (const partition of [0, 1]) reported(report('A', partition, 3));
    expect((await store.ended('A', 10_000, never))!.state).toBe('completed');
  });

  it('waits no longer than asked, nor after the service was told to stop', async () => {
    await add('A');
    expect((await store.ended('A', 1, never))!.state).toBe('received');
    const stop = new AbortController();
    const waiting = store.ended('A', 3_600_000, stop.signal);
    stop.abort();
    expect((await waiting)!.state).toBe('received');
    expect(await store.ended('nobody', 3_600_000, never)).toBeUndefined();
  });

  it('is not writable while Kafka does not take changes, and loses none of them', async () => {
    log.failures = [new Error('away')];
    const begun = store.begin(run('A'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(store.writable).toBe(false);
    await begun;
    expect([store.writable, log.fenced, fatal]).toEqual([true, 2, []]);
    expect(log.valueOf('A')).toMatchObject({ id: 'A' });
  });

  it('ends the process when it is fenced: its memory may be old', async () => {
    log.failures = [Object.assign(new Error('fenced'), { code: 'fenced' })];
    await expect(store.begin(run('A'))).rejects.toThrow('fenced');
    expect(fatal).toHaveLength(1);
  });

  it('writes nothing after it was closed', async () => {
    await store.close();
    await expect(store.begin(run('A'))).rejects.toMatchObject({ code: 'runs_closed' });
  });
});
