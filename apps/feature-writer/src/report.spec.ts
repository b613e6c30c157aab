// Reports share one producer over all partitions: its failure must close it once, and never the one that came after it.
import type { EndOfFeatures } from '#contracts';
import type { KafkaClient, OutRecord } from '#kafka';
import { Reports } from './report.js';

interface FakeProducer {
  sent: OutRecord[];
  closed: number;
  fail: ((error: Error) => void)[];
  isHanging: boolean;
}

/** Producers whose sends hang until the test fails them. */
function fakeClient(isHanging: (opened: number) => boolean) {
  const opened: FakeProducer[] = [];
  const openProducer = async () => {
    const producer: FakeProducer = { sent: [], closed: 0, fail: [], isHanging: isHanging(opened.length) };
    opened.push(producer);
    return {
      send: async (records: OutRecord[]) => {
        if (producer.isHanging) await new Promise((_, reject) => producer.fail.push(reject));
        producer.sent.push(...records);
      },
      close: async () => void producer.closed++,
    };
  };
  return { opened, client: { openProducer } as unknown as KafkaClient };
}

const end = (partition: number): EndOfFeatures => ({
  upload: 'run1',
  sequence: 3,
  stage: 'rows',
  partition,
  rows: 10,
  late: 2,
  late_by_view: { por_dia: 2 },
});

describe('Reports', () => {
  it('says what the marker counted', async () => {
    const { opened, client } = fakeClient(() => false);
    const reports = new Reports(client, 't');
    const marker = { generation: 1, offset: 5n, written: 7, superseded: 1, failed: 2, failedKeys: ['a', 'b'] };
    await reports.send('sales', end(3), marker, 99);
    await reports.send('sales', end(4), null, 99);
    await reports.close();
    expect(opened).toHaveLength(1);
    expect(opened[0]!.closed).toBe(1);
    const [first, second] = opened[0]!.sent;
    expect(first).toMatchObject({ topic: 't.runs', partition: 0, key: 'run1/report/rows/3' });
    const values = [first, second].map((record) => JSON.parse(record!.value as string) as unknown);
    expect(values[0]).toMatchObject({
      written: 7,
      superseded: 1,
      failed: 2,
      failed_keys: ['a', 'b'],
      late: 2,
      late_by_view: { por_dia: 2 },
    });
    expect(values[1]).toMatchObject({ partition: 4, written: 0, superseded: 0, failed: 0, failed_keys: [] });
  });

  it('opens one new producer after a failure of several sends, and keeps it', async () => {
    const { opened, client } = fakeClient((already) => already === 0);
    const reports = new Reports(client, 't');
    const failing = [0, 1].map((partition) => reports.send('sales', end(partition), null, 0).catch((error) => error));
    await new Promise((resolve) => setImmediate(resolve));
    const [failFirst, failSecond] = opened[0]!.fail;
    failFirst!(new Error('lost'));
    expect(await failing[0]).toBeInstanceOf(Error);
    await reports.send('sales', end(0), null, 0);
    failSecond!(new Error('lost'));
    expect(await failing[1]).toBeInstanceOf(Error);
    await reports.send('sales', end(1), null, 0);
    expect(opened).toHaveLength(2);
    await reports.close();
    expect(opened[1]!.closed).toBe(1);
  });

  it('opens again after an opening that failed', async () => {
    let openings = 0;
    const openProducer = async () => {
      if (openings++ === 0) throw new Error('away');
      return { send: async () => [], close: async () => undefined };
    };
    const reports = new Reports({ openProducer } as unknown as KafkaClient, 't');
    await expect(reports.send('sales', end(0), null, 0)).rejects.toThrow('away');
    await reports.send('sales', end(0), null, 0);
    expect(openings).toBe(2);
  });
});
