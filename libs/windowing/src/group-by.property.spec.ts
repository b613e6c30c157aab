// The group-by against a naive oracle: any order of rows, any cut into steps, two partitions, crashes that lose the
// step in flight and restore from the changelog. Last value per feature key and late set must be the same.
//
// Timeline of one partition: rows of upload 1 in steps, each committed or lost; its end, closed in pieces, each
// committed or lost; rows of upload 2 ... After a loss the task restores from the changelog and the offset record.
import fc from 'fast-check';
import { parsePipelineFile, type Row, type View } from '#contracts';
import { GroupBy } from './group-by.js';

const pipeline = parsePipelineFile(
  `
name: lojas
source:
  columns: { cidade: { type: string, required: true }, valor: { type: decimal } }
views:
  por_upload:
    group_by: [cidade]
    window: { type: upload }
    features: { linhas: { count: "*" }, valores: { count: valor }, total: { sum: valor }, media: { avg: valor } }
    redis: { key: "u:{cidade}" }
  sempre:
    group_by: [cidade]
    window: { type: all_time }
    features: { total: { sum: valor }, menor: { min: valor }, maior: { max: valor }, dispersao: { variance: valor } }
    redis: { key: "a:{cidade}" }
  por_segundo:
    group_by: [cidade]
    window: { type: tumbling, size: 1s, grace: 500ms }
    features: { media: { avg: valor }, linhas: { count: "*" }, primeiro: { first: valor }, desvio: { stddev: valor } }
    redis: { key: "t:{cidade}:{window_start}" }
  sem_fim:
    group_by: [cidade]
    window: { type: tumbling, size: 2s, grace: unlimited }
    features: { total: { sum: valor }, ultimo: { last: valor } }
    redis: { key: "s:{cidade}:{window_start}" }
`,
  'lojas.yaml',
);

const CITIES = ['A', 'B', 'C', 'D'];
const partitionOf = (row: Row, partitions: number) => CITIES.indexOf(row.cells.cidade as string) % partitions;
const streamTimeOf = (rows: readonly Row[]) =>
  rows.reduce<number | null>((max, { time }) => Math.max(max ?? time, time), null);

const uploads = fc
  .array(
    fc.array(
      fc.record({
        cidade: fc.constantFrom(...CITIES),
        valor: fc.oneof(
          fc.constant(null),
          fc.constantFrom('0.1', '0.2', '-0.0000005', '9007199254740993', '12.5', '1'),
          fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }).map((n) => `${n}.25`),
        ),
        time: fc.integer({ min: -3000, max: 8000 }),
      }),
      { maxLength: 15 },
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((files) =>
    files.map((rows, u) =>
      rows.map(({ cidade, valor, time }, i): Row => ({
        upload: `u${u + 1}`,
        row: i + 1,
        time,
        cells: { cidade, valor },
      })),
    ),
  );

// The oracle: lists of values, computed over at the end with integers of 10^-7.
const DIGITS = 7;
function unitsOf(text: string): bigint {
  const [whole, fraction = ''] = text.replace('-', '').split('.');
  return BigInt(whole! + fraction.padEnd(DIGITS, '0')) * (text.startsWith('-') ? -1n : 1n);
}
function plain(units: bigint, digits: number): string {
  const size = (units < 0n ? -units : units).toString().padStart(digits + 1, '0');
  const text = `${size.slice(0, -digits)}.${size.slice(-digits)}`.replace(/\.?0+$/, '');
  return (units < 0n ? '-' : '') + text;
}
function halfEven(a: bigint, b: bigint): bigint {
  const [size, rest] = [a / b, a % b];
  return rest * 2n > b || (rest * 2n === b && size % 2n === 1n) ? size + 1n : size;
}
function average(units: readonly bigint[]): string {
  const total = units.reduce((a, b) => a + b, 0n);
  const rounded = halfEven(total < 0n ? -total : total, 10n * BigInt(units.length));
  return plain(total < 0n ? -rounded : rounded, 6);
}
/** From the definition: squared distances from the mean; all of it times n, in units of 10^-14. */
function spread(units: readonly bigint[], isRoot: boolean): string | null {
  const n = BigInt(units.length);
  if (n < 2n) return null;
  const total = units.reduce((a, b) => a + b, 0n);
  const squares = units.reduce((sum, unit) => sum + (unit * n - total) ** 2n, 0n);
  const divisor = n * n * (n - 1n) * 10n ** BigInt(2 * DIGITS);
  if (!isRoot) return plain(halfEven(squares * 10n ** 6n, divisor), 6);
  // The largest number of millionths whose lower border is not above the root. Roots of these are never halfway.
  let [low, high] = [0n, 10n ** 30n];
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    if ((2n * middle - 1n) ** 2n * divisor <= 4n * squares * 10n ** 12n) low = middle;
    else high = middle - 1n;
  }
  return plain(low, 6);
}
function byPlace(a: Row, b: Row): number {
  if (a.time !== b.time) return a.time - b.time;
  return a.upload === b.upload ? a.row - b.row : a.upload < b.upload ? -1 : 1;
}
function resultOf(aggregate: string, column: string, rows: readonly Row[]): number | string | null {
  const valued = rows.filter((row) => row.cells.valor !== null);
  const units = valued.map((row) => unitsOf(row.cells.valor as string));
  if (aggregate === 'count') return column === '*' ? rows.length : units.length;
  if (units.length === 0) return null;
  if (aggregate === 'avg') return average(units);
  if (aggregate === 'variance' || aggregate === 'stddev') return spread(units, aggregate === 'stddev');
  if (aggregate === 'first' || aggregate === 'last') {
    return [...valued].sort(byPlace).at(aggregate === 'first' ? 0 : -1)!.cells.valor as string;
  }
  if (aggregate === 'sum')
    return plain(
      units.reduce((a, b) => a + b, 0n),
      DIGITS,
    );
  const order = [...units].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return plain(order.at(aggregate === 'min' ? 0 : -1)!, DIGITS);
}

interface Outcome {
  /** Feature key -> last record. */
  features: Record<string, string>;
  late: string[];
}

/** What a person with a pencil would do: one view after the other, one upload after the other. */
function oracle(files: readonly (readonly Row[])[]): Outcome {
  const features: Record<string, string> = {};
  const late = new Set<string>();
  for (const view of pipeline.views) {
    const cells = new Map<string, { row: Row; start: number | null; values: Row[] }>();
    const closed = new Set<string>();
    let streamTime: number | null = null;
    const write = (key: string, final: boolean, upload: string) => {
      const { row, start, values } = cells.get(key)!;
      features[key] = naiveRecord(view, {
        cidade: row.cells.cidade as string,
        start,
        values,
        final,
        upload,
        streamTime,
      });
    };
    const lastUpload = new Map<string, string>();
    for (const rows of files) {
      if (view.window.type === 'upload') cells.clear();
      for (const row of rows) {
        const { window } = view;
        const start = window.type === 'tumbling' ? Math.floor(row.time / window.sizeMs) * window.sizeMs : null;
        const key = `${view.name}\u0000${row.cells.cidade}\u0000${start ?? ''}`;
        if (window.type === 'tumbling' && isPast(start! + window.sizeMs, window.graceMs, streamTime)) {
          late.add(`${row.upload}/${row.row}`);
          continue;
        }
        if (!cells.has(key)) cells.set(key, { row, start, values: [] });
        cells.get(key)!.values.push(row);
        lastUpload.set(key, row.upload);
        if (window.type !== 'upload') write(key, false, row.upload);
      }
      const upload = rows[0]?.upload;
      const seen: number | null = streamTimeOf(rows);
      streamTime = seen === null ? streamTime : Math.max(streamTime ?? seen, seen);
      for (const [key, { start }] of cells) {
        const { window } = view;
        if (window.type === 'upload') write(key, true, upload!);
        if (window.type !== 'tumbling' || closed.has(key)) continue;
        if (!isPast(start! + window.sizeMs, window.graceMs, streamTime)) continue;
        closed.add(key);
        write(key, true, lastUpload.get(key)!);
      }
    }
  }
  return { features, late: [...late].sort() };
}

const isPast = (end: number, graceMs: number | null, streamTime: number | null) =>
  graceMs !== null && streamTime !== null && end <= streamTime - graceMs;

function naiveRecord(
  view: View,
  at: {
    cidade: string;
    start: number | null;
    values: Row[];
    final: boolean;
    upload: string;
    streamTime: number | null;
  },
): string {
  const size = view.window.type === 'tumbling' ? view.window.sizeMs : 0;
  const end = at.start === null ? null : at.start + size;
  return JSON.stringify({
    view: view.name,
    key: { cidade: at.cidade },
    window: { type: view.window.type, start: at.start, end },
    features: Object.fromEntries(view.features.map((f) => [f.name, resultOf(f.aggregate, f.column, at.values)])),
    final: at.final,
    upload: at.upload,
    stream_time: at.streamTime,
  });
}

/** A choice each time one is needed: how many rows a step takes, whether it is lost, how many entries close at once. */
interface Choices {
  readonly stepRows: readonly number[];
  readonly lost: readonly boolean[];
  readonly limits: readonly number[];
}
const choices: fc.Arbitrary<Choices> = fc.record({
  stepRows: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
  // At least one transaction in each round goes through, or nothing would ever be done.
  lost: fc.array(fc.boolean(), { maxLength: 9 }).map((lost) => [...lost, false]),
  limits: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
});

/** One task's life. What Kafka would hold: the changelog, the features, the late set, and the offset record. */
class Task {
  private readonly changelog = new Map<string, string>();
  private readonly offsetRecord: { streamTime: number | null } = { streamTime: null };
  private groupBy = new GroupBy(pipeline);
  private transactions = 0;
  private steps = 0;
  private closings = 0;

  constructor(
    private readonly choices: Choices,
    private readonly kafka: { features: Record<string, string>; late: Set<string> },
  ) {}

  upload(rows: readonly Row[], end: { upload: string; streamTime: number | null }): void {
    for (let next = 0; next < rows.length;) {
      const piece = rows.slice(next, next + cycle(this.choices.stepRows, this.steps++));
      const step = this.groupBy.beginStep();
      const late = piece.filter((row) => step.applyRow(row).length > 0);
      if (!this.transact(step)) continue;
      for (const row of late) this.kafka.late.add(`${row.upload}/${row.row}`);
      next += piece.length;
    }
    for (let done = false; !done;) {
      const due = this.groupBy.due({ ...end, limit: cycle(this.choices.limits, this.closings++) });
      if (this.transact({ changes: () => due.changes, commit: due.commit })) done = due.done;
    }
    this.groupBy.advanceStreamTime(end.streamTime);
    this.offsetRecord.streamTime = this.groupBy.streamTime;
  }

  /** False when the transaction was lost: then the task is another process, which knows only what Kafka holds. */
  private transact(step: { changes(): ReturnType<GroupBy['due']>['changes']; commit(): void }): boolean {
    const changes = step.changes();
    if (cycle(this.choices.lost, this.transactions++)) {
      this.groupBy = new GroupBy(pipeline);
      this.groupBy.advanceStreamTime(this.offsetRecord.streamTime);
      for (const [key, value] of this.changelog) this.groupBy.restore(key, value);
      return false;
    }
    for (const { changelogKey, changelogValue, feature } of changes) {
      if (changelogValue === null) this.changelog.delete(changelogKey);
      else this.changelog.set(changelogKey, changelogValue);
      if (feature !== null) this.kafka.features[feature.key] = feature.value!;
    }
    step.commit();
    expect(this.groupBy.size).toBe(this.changelog.size);
    return true;
  }
}

const cycle = <T>(list: readonly T[], n: number): T => list[n % list.length]!;

function run(files: readonly (readonly Row[])[], partitions: number, how: readonly Choices[]): Outcome {
  const kafka = { features: {}, late: new Set<string>() };
  const tasks = Array.from({ length: partitions }, (_, p) => new Task(how[p]!, kafka));
  files.forEach((rows, u) => {
    const end = { upload: `u${u + 1}`, streamTime: streamTimeOf(rows) };
    tasks.forEach((task, p) =>
      task.upload(
        rows.filter((row) => partitionOf(row, partitions) === p),
        end,
      ),
    );
  });
  return { features: kafka.features, late: [...kafka.late].sort() };
}

describe('GroupBy against the oracle', () => {
  it('ends with the same features and late rows: any steps, crashes, closing in pieces, one or two partitions', () => {
    fc.assert(
      fc.property(uploads, fc.constantFrom(1, 2), choices, choices, (files, partitions, a, b) => {
        expect(run(files, partitions, [a, b])).toEqual(oracle(files));
      }),
      { numRuns: 150 },
    );
  });

  it('does not depend on the order of rows within their file', () => {
    const withOrder = uploads.chain((files) =>
      fc.tuple(
        fc.constant(files),
        fc.tuple(...files.map((rows) => fc.shuffledSubarray([...rows], { minLength: rows.length }))),
      ),
    );
    fc.assert(
      fc.property(withOrder, choices, ([files, shuffled], how) => {
        expect(run(shuffled, 1, [how])).toEqual(oracle(files));
      }),
    );
  });

  it('lets an interrupted upload go on after another: upload windows do not mix', () => {
    fc.assert(
      fc.property(uploads, fc.nat({ max: 15 }), choices, (files, cut, how) => {
        const [first = [], second = []] = files;
        const kafka = { features: {} as Record<string, string>, late: new Set<string>() };
        const task = new Task(how, kafka);
        // The first part has no end yet: a control record of nobody's closes nothing.
        task.upload(first.slice(0, cut), { upload: 'nobody', streamTime: null });
        task.upload(second, { upload: 'u2', streamTime: null });
        task.upload(first.slice(cut), { upload: 'u1', streamTime: null });
        const uploadsOnly = (features: Record<string, string>) =>
          Object.entries(features)
            .filter(([key]) => key.startsWith('por_upload'))
            .sort();
        const expected = oracle([second, first].map((rows) => rows.map((row) => ({ ...row, time: 0 })))).features;
        const withoutTime = (entries: [string, string][]) =>
          entries.map(([key, value]) => [key, value.replace(/"stream_time":.*/, '')]);
        expect(withoutTime(uploadsOnly(kafka.features))).toEqual(withoutTime(uploadsOnly(expected)));
      }),
    );
  });
});
