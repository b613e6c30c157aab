// Every window kind against a naive oracle (test/harness/naive-windows.ts), by the real task code on a Kafka in memory:
// random rows, orders, cuts, partitions, uploads, watermarks and crash points. Equal last values, equal late records, each
// once, and at no moment two sessions that overlap. More cases: npm run test:deep -- --cases N.
import fc from 'fast-check';
import { parsePipelineFile, type Pipeline, type TimeWindowSpec } from '#contracts';
import type { FaultPoint } from '../harness/fake-kafka.js';
import { naiveWindows, type NaiveRow } from '../harness/naive-windows.js';
import { countsOf, epochsOf, runWindows, type WindowRun } from '../harness/window-tasks.js';

const CASES = { numRuns: Number(process.env.CAUDAL_CASES ?? 300) };
const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

function pipelineOf(windows: readonly string[]): Pipeline {
  const views = windows.map(
    (window, at) => `
  v${at}:
    group_by: [city]
    window: { ${window} }
    features: { rows: { count: '*' }, sum: { sum: amount } }
    redis: { key: 'v${at}:{city}:{window_start}' }`,
  );
  return parsePipelineFile(
    `
name: sales
source:
  columns: { city: { type: string, required: true }, at: { type: timestamp, required: true }, amount: { type: decimal } }
  event_time: at
views:${views.join('')}
`,
    'sales.yaml',
  );
}

interface Kind {
  pipeline: Pipeline;
  /** A row's time, epoch ms: coarse, so that rows meet borders and one another. */
  time: fc.Arbitrary<number>;
}

const seconds = fc.integer({ min: -16, max: 90 }).map((halves) => (halves * SECOND_MS) / 2);
/** Around the night of 4 November 2018, which had no midnight in São Paulo, and 18 February 2018, which had an hour twice. */
const hours = fc
  .tuple(fc.constantFrom(Date.UTC(2018, 10, 2), Date.UTC(2018, 1, 16)), fc.integer({ min: 0, max: 24 * 8 }))
  .map(([from, half]) => from + (half * HOUR_MS) / 2);

const KINDS: Record<string, Kind> = {
  tumbling: {
    time: seconds,
    pipeline: pipelineOf([
      'type: tumbling, size: 5s, grace: 0s',
      'type: tumbling, size: 3s, grace: 4s, emit: final',
      'type: tumbling, size: 10s, grace: unlimited',
    ]),
  },
  hopping: {
    time: seconds,
    pipeline: pipelineOf([
      'type: hopping, size: 6s, advance: 2s, grace: 0s',
      'type: hopping, size: 5s, advance: 2s, grace: 3s',
      'type: hopping, size: 4s, advance: 1s, grace: 1s, emit: final',
    ]),
  },
  session: {
    time: seconds,
    pipeline: pipelineOf([
      'type: session, gap: 4s, grace: 0s',
      'type: session, gap: 2s, grace: 5s',
      'type: session, gap: 3s, grace: 1s, emit: final',
      'type: session, gap: 6s, grace: unlimited',
    ]),
  },
  'local day': {
    time: hours,
    pipeline: pipelineOf([
      'type: tumbling, size: 1d, grace: 0s, time_zone: America/Sao_Paulo',
      'type: hopping, size: 2d, advance: 1d, grace: 6h, time_zone: America/Sao_Paulo',
      'type: tumbling, size: 7d, grace: 0s, time_zone: Europe/Lisbon',
    ]),
  },
};

function uploadsOf(time: fc.Arbitrary<number>): fc.Arbitrary<NaiveRow[][]> {
  const row = fc.record({
    group: fc.constantFrom('a', 'b', 'c'),
    timeMs: time,
    amount: fc.integer({ min: -9, max: 9 }),
  });
  return fc
    .array(fc.array(row, { maxLength: 12 }), { minLength: 1, maxLength: 4 })
    .map((files) =>
      files.map((rows, file) => rows.map((fields, at) => ({ ...fields, upload: `u${file + 1}`, row: at + 1 }))),
    );
}

const points: FaultPoint[] = ['begin', 'send', 'sendOffsets', 'commit', 'committed'];
const surroundings = fc.record({
  partitions: fc.constantFrom(1, 1, 3, 16),
  faults: fc.array(fc.record({ point: fc.constantFrom(...points), skip: fc.nat({ max: 6 }) }), { maxLength: 8 }),
  cuts: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }),
});

async function expectNaive(run: Omit<WindowRun, 'batchRecords'>, cuts: readonly number[], expectedOf = run.uploads) {
  const views = run.pipeline.views.map(({ name, window }) => ({ name, window: window as TimeWindowSpec }));
  const expected = naiveWindows(views, epochsOf({ ...run, uploads: expectedOf }));
  let batch = 0;
  const found = await runWindows({ ...run, batchRecords: () => cuts[batch++ % cuts.length]! });
  expect(Object.fromEntries(found.features)).toEqual(Object.fromEntries(expected.features));
  expect(found.late).toEqual(expected.late);
  expect(found.counts).toEqual(countsOf(expected.late, run.uploads));
}

describe.each(Object.entries(KINDS))('%s windows against the oracle', (_, { pipeline, time }) => {
  it('are the same for every order of rows within their file, cut, partition count and crash', async () => {
    const shuffled = uploadsOf(time).chain((files) =>
      fc.tuple(
        fc.constant(files),
        fc.tuple(...files.map((rows) => fc.shuffledSubarray([...rows], { minLength: rows.length }))),
      ),
    );
    await fc.assert(
      fc.asyncProperty(shuffled, surroundings, async ([files, uploads], { partitions, faults, cuts }) => {
        await expectNaive({ pipeline, partitions, uploads, watermarkEvery: null, faults }, cuts, files);
      }),
      CASES,
    );
  });

  it('close on the way where a file is in the order of its time, the same for every cut, partition count and crash', async () => {
    const sorted = fc.tuple(uploadsOf(time), fc.boolean()).map(([files, isSorted]) => {
      // A file that is not sorted is no error: what comes behind its time is late.
      return isSorted ? files.map((rows) => [...rows].sort((a, b) => a.timeMs - b.timeMs)) : files;
    });
    await fc.assert(
      fc.asyncProperty(sorted, fc.integer({ min: 1, max: 6 }), surroundings, async (uploads, every, around) => {
        const { partitions, faults, cuts } = around;
        await expectNaive({ pipeline, partitions, uploads, watermarkEvery: every, faults }, cuts);
      }),
      CASES,
    );
  });
});
