// Processes leave and join while an upload's end closes tens of thousands of windows in many transactions: each window
// gets its one final record, none is opened again.
//
// Two partitions, two aggregators. upload -> while its windows close, one of them is stopped -> the other takes its
// partition over in the middle of the closing and ends it -> upload -> while its windows close, the stopped one wakes up
// and joins: a partition moves in the middle of the closing.
import { Oracle, startAudited } from '../harness/oracle.js';
import { type Stack, until, type Service } from '../harness/stack.js';
import { OFFSET_KEY, type OffsetRecord } from '../../apps/aggregator/src/changelog-records.js';
import { faultCase, Uploads } from './fault-case.js';

const PARTITIONS = 2;
const TAIL_RECORDS = 6n;

let stack: Stack;
let oracle: Oracle;
let uploads: Uploads;
let second: Service;

beforeAll(async () => {
  stack = await startAudited({ partitions: PARTITIONS });
  second = await stack.add('aggregator');
  await second.ready();
  oracle = new Oracle(stack);
  uploads = new Uploads(stack, oracle);
}, 120_000);
afterAll(async () => stack?.stop(), 60_000);

/** The partitions whose last offset record says that a closing is under way. */
async function closing(): Promise<number[]> {
  const topic = stack.topics('vendas').changelog;
  const found: number[] = [];
  for (const { partition, end } of await stack.client.offsets(topic)) {
    let last: OffsetRecord | null = null;
    const from = end > TAIL_RECORDS ? end - TAIL_RECORDS : 0n;
    const onRecord = ({ key, value }: { key: Buffer | null; value: Buffer | null }) => {
      if (key?.toString() === OFFSET_KEY) last = JSON.parse(value!.toString()) as OffsetRecord;
    };
    await stack.client.readPartition({ topic, partition, from, onRecord });
    if ((last as OffsetRecord | null)?.closing) found.push(partition);
  }
  return found;
}

/** An upload with some 50,000 windows, all of which but those of the last hour close at its end. */
async function untilClosing(seed: number): Promise<void> {
  await uploads.send(uploads.make({ seed, rows: 60_000, cities: 3_000, hours: 150, lateEvery: 10_000 }));
  await until('windows to close', async () => (await closing()).length > 0, 60_000);
}

describe('aggregators that leave and join while windows close', () => {
  faultCase('finish each window once', async ({ random }) => {
    await untilClosing(random.below(2 ** 31));
    second.signal('SIGSTOP');
    await uploads.ended();
    await untilClosing(random.below(2 ** 31));
    second.signal('SIGCONT');
    await uploads.ended();
    await second.ready();
    expect(await oracle.check()).toEqual([]);
  });
});
