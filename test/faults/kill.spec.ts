// kill -9 of one service at a time while 200,000 rows flow, and a restart of it.
//
// Timeline of a case: four uploads of 50,000 rows one after the other; during each the service kills itself at a point of
// its talk with Kafka or Redis (chosen, or by the seed) and is started again. Then everything is compared: rows, every
// intermediate feature, state, runs, Redis.
import { Oracle, startAudited } from '../harness/oracle.js';
import type { Random } from '../harness/seeded-upload.js';
import { type Stack, type ServiceName } from '../harness/stack.js';
import { arm, faultCase, INJECTOR, Uploads } from './fault-case.js';

const ROWS = 50_000;

let stack: Stack;
let oracle: Oracle;
let uploads: Uploads;

beforeAll(async () => {
  stack = await startAudited({
    nodeArgs: { ingest: INJECTOR, aggregator: INJECTOR, 'feature-writer': INJECTOR },
  });
  oracle = new Oracle(stack);
  uploads = new Uploads(stack, oracle);
}, 120_000);
afterAll(async () => stack?.stop(), 60_000);

/** One upload, one kill, one restart. */
async function killDuring(name: ServiceName, fault: string, random: Random): Promise<void> {
  const service = stack.service(name);
  const upload = uploads.make({ seed: random.below(2 ** 31), rows: ROWS });
  const armed = await arm(stack, service, fault);
  // An answer that ingest took into its grave is asked for again below.
  const sending = uploads.send(upload).then(
    () => true,
    () => false,
  );
  await armed.fired();
  expect(await service.exited()).toBe('SIGKILL');
  service.start();
  const isAnswered = await sending;
  await service.ready();
  if (!isAnswered) await uploads.send(upload);
}

const anyOf = (random: Random, points: readonly string[], most: number): string =>
  `kill:${random.pick(points)}:${random.pick(['before', 'after'])}:${random.between(1, most)}`;

async function expectExact(): Promise<void> {
  await uploads.ended();
  expect(await oracle.check()).toEqual([]);
}

describe('kill -9 while rows flow', () => {
  // Each step of a transaction: written, with offsets, before its commit, and when its commit's answer is lost; then
  // rows flow without an aggregator, and the next one dies while it restores.
  faultCase(
    'of the aggregator: after its sends and offsets, around its commit, while it restores',
    async ({ random }) => {
      for (const point of ['Produce:after', 'TxnOffsetCommit:after', 'EndTxn:before', 'EndTxn:after']) {
        await killDuring('aggregator', `kill:${point}:${random.between(1, 8)}`, random);
      }
      const service = stack.service('aggregator');
      await service.kill();
      await uploads.send(uploads.make({ seed: random.below(2 ** 31), rows: 5_000 }));
      service.start([], { CAUDAL_TEST_FAULT: `kill:Restore:after:${random.between(1, 4)}` });
      expect(await service.exited(60_000)).toBe('SIGKILL');
      service.start();
      await expectExact();
    },
  );

  // Its transactions carry rows and progress; the runs have a transactional writer of their own in the same process.
  faultCase('of ingest: in the middle of publishing', async ({ random }) => {
    for (const point of ['Produce:after', 'EndTxn:before', 'EndTxn:after', 'AddPartitionsToTxn:before']) {
      await killDuring('ingest', `kill:${point}:${random.between(2, 6)}`, random);
    }
    await expectExact();
  });

  // Redis has the batch but the group's offset has not; the report is due but not sent; sent, but the marker not moved.
  faultCase('of the writer: between marker and report, between report and marker, anywhere', async ({ random }) => {
    await killDuring('feature-writer', 'kill:Produce:before:1', random);
    await killDuring('feature-writer', `kill:Eval:before:1:Produce`, random);
    await killDuring('feature-writer', 'kill:OffsetCommit:before:2', random);
    await killDuring('feature-writer', anyOf(random, ['Eval'], 20), random);
    await expectExact();
  });
});
