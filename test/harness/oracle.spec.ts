// The oracle itself: each kind of wrong log is called wrong, and a right one is not.
import { encodeControl, encodeEndOfFeatures, featureKey } from '#contracts';
import { partitionForKey, type KafkaRecord } from '#kafka';
import { FeaturesAudit } from './features-audit.js';
import { RowsAudit } from './rows-audit.js';
import { averageOf, plainDecimal, SeededUpload } from './seeded-upload.js';

const RUN = 'run1';
const upload = new SeededUpload({ seed: 5, rows: 40, cities: 2, hours: 2, place: 0 });
const PARTITIONS = 1;

type Draft = { key: string | null; value: object; headers?: Record<string, string> };

function record(draft: Draft, offset: number): KafkaRecord {
  const headers = Object.fromEntries(
    Object.entries(draft.headers ?? {}).map(([name, text]) => [name, Buffer.from(text)]),
  );
  const key = draft.key === null ? null : Buffer.from(draft.key);
  const value = Buffer.from(JSON.stringify(draft.value));
  return { topic: 't', partition: 0, offset: BigInt(offset), timestampMs: 0, key, value, headers };
}

function rowDrafts(): Draft[] {
  const rows = Array.from({ length: upload.rows }, (_, at): Draft => {
    const { id, city, timeMs } = upload.row(at + 1)!;
    return { key: city, value: { id, cidade: city, _upload: RUN, _row: at + 1, _time: timeMs } };
  });
  const [row, rowsTotal] = [upload.rows, upload.rows];
  const end = { upload: RUN, row, streamTime: upload.streamTimeMs, rowsInPartition: row, rowsTotal, sequence: 1 };
  const control = encodeControl({ kind: 'end-of-upload', ...end });
  return [...rows, { key: null, value: JSON.parse(control.value) as object, headers: control.headers }];
}

/** What a right aggregator writes in steps of ten rows; naive, and by hand for these four views. */
function featureDrafts(): Draft[] {
  const sums = new Map<string, { rows: number; cents: bigint | null }>();
  const windows = ['total', 'por_dia', 'por_hora'] as const;
  const sizes = { total: 0, por_dia: 86_400_000, por_hora: 3_600_000 };
  const drafts: Draft[] = [];
  const draft = (key: string, final: boolean): Draft => {
    const { rows, cents } = sums.get(key)!;
    const soma = cents === null ? null : plainDecimal(cents, 2);
    return { key, value: { features: { vendas: rows, soma }, final, upload: RUN } };
  };
  for (let from = 1; from <= upload.rows; from += 10) {
    const touched = new Set<string>();
    for (let row = from; row < from + 10; row++) {
      const { city, timeMs, cents } = upload.row(row)!;
      for (const view of windows) {
        const key = featureKey(view, city, view === 'total' ? null : timeMs - (timeMs % sizes[view]));
        const sum = sums.get(key) ?? { rows: 0, cents: null };
        sums.set(key, { rows: sum.rows + 1, cents: cents === null ? sum.cents : (sum.cents ?? 0n) + cents });
        touched.add(key);
      }
    }
    for (const key of touched) drafts.push(draft(key, false));
  }
  const isDue = (key: string) =>
    key.startsWith('por_hora') && Number(key.split('\u0000')[2]) + 3_600_000 <= upload.streamTimeMs;
  for (const key of sums.keys()) if (isDue(key)) drafts.push(draft(key, true));
  return [...drafts, ...uploadDrafts(), endDraft()];
}

function uploadDrafts(): Draft[] {
  const cities = new Map<string, bigint[]>();
  const counts = new Map<string, number>();
  for (let row = 1; row <= upload.rows; row++) {
    const { city, cents } = upload.row(row)!;
    counts.set(city, (counts.get(city) ?? 0) + 1);
    const values = cities.get(city) ?? [];
    cities.set(city, cents === null ? values : [...values, cents]);
  }
  return [...cities].map(([city, values]) => {
    const sum = values.reduce((total, cents) => total + cents, 0n);
    const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const features = {
      vendas: counts.get(city)!,
      soma: plainDecimal(sum, 2),
      media: averageOf(sum, BigInt(values.length)),
      menor: plainDecimal(sorted[0]!, 2),
      maior: plainDecimal(sorted.at(-1)!, 2),
    };
    return { key: featureKey('por_upload', city, null), value: { features, final: true, upload: RUN } };
  });
}

function endDraft(): Draft {
  const end = { upload: RUN, sequence: 1, stage: 'rows', partition: 0, rows: upload.rows, late: 0, late_by_view: {} };
  const { key, value } = encodeEndOfFeatures(end);
  return { key, value: JSON.parse(value) as object };
}

/** What the two halves say of these logs. */
function complaints(rows: Draft[], features: Draft[]): string {
  const said: string[] = [];
  const complain = (what: string) => void said.push(what);
  const rowsAudit = new RowsAudit(PARTITIONS);
  const featuresAudit = new FeaturesAudit(rowsAudit, PARTITIONS);
  rowsAudit.know(RUN, upload);
  rows.forEach((draft, at) => rowsAudit.read(record(draft, at), complain));
  features.forEach((draft, at) => featuresAudit.read(record(draft, at), complain));
  rowsAudit.missing(complain);
  featuresAudit.missing(PARTITIONS, complain);
  return said.join('\n');
}

const without = <T>(list: T[], at: number): T[] => list.filter((_, index) => index !== at);
const twice = <T>(list: T[], at: number): T[] => [...list.slice(0, at + 1), ...list.slice(at)];

describe('the oracle', () => {
  const rows = rowDrafts();
  const features = featureDrafts();
  const indexOf = (view: string, final = false): number =>
    features.findIndex(({ key, value }) => key!.startsWith(view) && (value as { final?: boolean }).final === final);

  it('finds nothing wrong with what is right', () => {
    expect(partitionForKey('x', PARTITIONS)).toBe(0);
    expect(complaints(rows, features)).toBe('');
  });

  it('finds a row that is there twice, one that is missing and one that nobody sent', () => {
    expect(complaints(twice(rows, 3), features)).toMatch(/row 4 of run1 is there twice/);
    expect(complaints(without(rows, 3), features)).toMatch(/has 39 of 40 rows, the first gap is at row 4/);
    const foreign = { ...rows[0]!, value: { ...rows[0]!.value, _row: 41 } };
    expect(complaints([foreign, ...rows], features)).toMatch(/nobody sent row 41/);
  });

  it('finds an intermediate result that a row entered twice, although the last one is right', () => {
    const at = indexOf('total');
    const { value } = features[at]! as { value: { features: { vendas: number } } };
    const wrong = { ...value, features: { ...value.features, vendas: value.features.vendas + 1 } };
    expect(complaints(rows, features.with(at, { ...features[at]!, value: wrong }))).toMatch(
      /features: total\|.* expected/,
    );
  });

  it('finds a step that was written twice, and one that was never written', () => {
    expect(complaints(rows, twice(features, indexOf('total')))).toMatch(/total\|.* goes from (\d+) rows to \1/);
    const last = features.findLastIndex(({ key }) => key!.startsWith('total'));
    expect(complaints(rows, without(features, last))).toMatch(/total\|.* ends at/);
  });

  it('finds windows that close twice, not, or too early', () => {
    const at = indexOf('por_hora', true);
    expect(complaints(rows, twice(features, at))).toMatch(/por_hora\|.* changes after its final record/);
    expect(complaints(rows, without(features, at))).toMatch(/por_hora\|.* is not final/);
    expect(complaints(rows, [features[at]!, ...without(features, at)])).toMatch(/por_hora\|.* (is final at|goes from)/);
  });

  it('finds upload features that come twice, not, or behind the end', () => {
    const at = indexOf('por_upload', true);
    expect(complaints(rows, twice(features, at))).toMatch(/run1 Cidade \d is there twice/);
    expect(complaints(rows, without(features, at))).toMatch(/run1 ends in 0 before Cidade/);
    expect(complaints(rows, [...without(features, at), features[at]!])).toMatch(/run1 ends in 0 before Cidade/);
    expect(complaints(rows, features.slice(0, -1))).toMatch(/run1 has no end in 0/);
    expect(complaints(rows, [...features, features.at(-1)!])).toMatch(/run1 ends twice in 0/);
  });
});

describe('the plain computation', () => {
  it('writes numbers as the contract does', () => {
    expect([0n, 5n, -5n, 100n, 1010n, -12_345n].map((cents) => plainDecimal(cents, 2))).toEqual([
      '0',
      '0.05',
      '-0.05',
      '1',
      '10.1',
      '-123.45',
    ]);
  });

  it('rounds half to even', () => {
    expect(averageOf(100n, 3n)).toBe('0.333333');
    expect(averageOf(200n, 3n)).toBe('0.666667');
    expect(averageOf(-200n, 3n)).toBe('-0.666667');
    expect(averageOf(1n, 20_000n)).toBe('0'); // 0.0000005
    expect(averageOf(3n, 20_000n)).toBe('0.000002'); // 0.0000015
  });
});
