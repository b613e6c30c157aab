// What the network and other producers do to a transaction's end: its answer is lost, the request comes when the next
// transaction is under way, another producer takes the id. A proxy between the services and Kafka does it; no service is
// touched, and none may end.
import { transactionalIds } from '#contracts';
import { KafkaProxy, type Disturbance } from '../harness/kafka-proxy.js';
import { Oracle, PIPELINE, startAudited } from '../harness/oracle.js';
import type { Random } from '../harness/seeded-upload.js';
import { type Stack, until } from '../harness/stack.js';
import { faultCase, Uploads } from './fault-case.js';

const ROWS = 50_000;
const LOST_ENDS = 3;
/** INVALID_PRODUCER_EPOCH, PRODUCER_FENCED: what Kafka says to the end of a transaction whose producer is history. */
const FENCED_CODES = [47, 90];

let proxy: KafkaProxy;
let stack: Stack;
let oracle: Oracle;
let uploads: Uploads;

beforeAll(async () => {
  proxy = await KafkaProxy.start(process.env.KAFKA_BROKERS!.split(',')[0]!);
  stack = await startAudited({ kafkaBrokers: proxy.broker });
  oracle = new Oracle(stack);
  uploads = new Uploads(stack, oracle);
}, 120_000);
afterAll(async () => {
  await stack?.stop();
  await proxy?.stop();
}, 60_000);
afterEach(() => {
  proxy.rule = () => null;
});

const idOf = (partition: number): string => transactionalIds.rowsTask(stack.prefix, PIPELINE, partition);
const isTask = (id: string | null): id is string =>
  Array.from({ length: stack.partitions }, (_, partition) => idOf(partition)).includes(id ?? '');

/** What the aggregator says from now on. */
function listen(): (text: string) => number {
  const { length } = stack.service('aggregator').log;
  return (text) => stack.service('aggregator').log.slice(length).split(text).length - 1;
}

async function send(random: Random): Promise<void> {
  await uploads.send(uploads.make({ seed: random.below(2 ** 31), rows: ROWS }));
}

async function expectExact(pids: readonly number[]): Promise<void> {
  await uploads.ended();
  expect(await oracle.check()).toEqual([]);
  expect(stack.services.map(({ pid }) => pid)).toEqual(pids);
  await stack.ready();
}
const pids = (): number[] => stack.services.map(({ pid }) => pid);

describe('the end of a transaction', () => {
  // Kafka has committed; the task cannot know. It must read the outcome back, neither repeat nor skip the step.
  faultCase('whose answer is lost is read back, not guessed', async ({ random }) => {
    const [before, said] = [pids(), listen()];
    let ends = random.between(1, 3);
    let lost = 0;
    proxy.rule = ({ name, transactionalId }): Disturbance => {
      if (name !== 'EndTxn' || !isTask(transactionalId) || lost === LOST_ENDS || --ends > 0) return null;
      ends = random.between(1, 3);
      lost++;
      return { kind: 'drop-reply' };
    };
    await send(random);
    await expectExact(before);
    expect(lost).toBe(LOST_ENDS);
    expect(said('task failed')).toBeGreaterThanOrEqual(LOST_ENDS);
  });

  // The task has given the transaction up and its next one is open when the old request arrives at last.
  faultCase('that comes late does not complete the next transaction', async ({ random }) => {
    const before = pids();
    const late = proxy.lateAnswers.length;
    let ends = random.between(2, 5);
    let delayed: { id: string; next: PromiseWithResolvers<void> } | null = null;
    proxy.rule = ({ name, transactionalId }): Disturbance => {
      if (name === 'Produce' && delayed?.id === transactionalId) delayed.next.resolve();
      if (name !== 'EndTxn' || !isTask(transactionalId) || delayed !== null || --ends > 0) return null;
      delayed = { id: transactionalId, next: Promise.withResolvers<void>() };
      return { kind: 'late', until: delayed.next.promise };
    };
    await send(random);
    await expectExact(before);
    await until('the late request to be answered', () => proxy.lateAnswers.length > late, 10_000);
    expect(FENCED_CODES).toContain(proxy.lateAnswers.at(-1));
  });
});

describe('another producer with the id of a task', () => {
  // It fences the task and writes a feature of its own; the task, which still owns the partition, takes the id back.
  faultCase('stops the task, and nothing of it is ever seen', async ({ random }) => {
    const [before, said] = [pids(), listen()];
    const partition = random.below(stack.partitions);
    const isFlowing = Promise.withResolvers<void>();
    proxy.rule = ({ name, transactionalId }) => {
      if (name === 'EndTxn' && transactionalId === idOf(partition)) isFlowing.resolve();
      return null;
    };
    await send(random);
    await isFlowing.promise;
    const intruder = await stack.client.openTransactional({ transactionalId: idOf(partition) });
    const transaction = await intruder.begin();
    const { features } = stack.topics(PIPELINE);
    const forged = { topic: features, partition, key: 'total\u0000forged\u0000', value: '{}' };
    const sent = transaction.send([forged]).then(
      () => true,
      () => false, // the task was quicker
    );
    await until('the task to be fenced', () => said('"code":"fenced"') > 0, 30_000);
    await until('the task to take its id back', () => said('task ready') > 0, 30_000);
    await sent;
    await expect(transaction.commit()).rejects.toMatchObject({ code: expect.stringMatching(/fenced|producer_broken/) });
    await intruder.close();
    await expectExact(before);
  });
});
