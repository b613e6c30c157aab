// The first half of the oracle: the rows topic as a read_committed consumer sees it, row by row against the seeds; and,
// built from it in log order, what every view must come to.
import { decodeControl, type ControlRecord } from '#contracts';
import { partitionForKey, type KafkaRecord } from '#kafka';
import { Series, UploadGroup } from './expected.js';
import type { Sale, SeededUpload } from './seeded-upload.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NUL = '\u0000';

/** One upload as it was sent, and what of it has been seen in the log. */
export interface KnownUpload {
  run: string;
  upload: SeededUpload;
  seen: Uint8Array;
  rows: number;
  late: number;
  /** By city. */
  groups: Map<string, UploadGroup>;
}

export interface Place {
  run: string;
  partition: number;
}

export type Complain = (what: string) => void;

export class RowsAudit {
  readonly uploads = new Map<string, KnownUpload>();
  /** By the key that feature records have: view NUL city NUL window start. */
  readonly series = new Map<string, Series>();
  /** Epoch ms by partition: what the ends of uploads have said so far. */
  readonly streamTimes: (number | null)[];
  /** What a city's newest upload came to. */
  readonly newest = new Map<string, { run: string; group: UploadGroup }>();

  constructor(private readonly partitions: number) {
    this.streamTimes = Array.from({ length: partitions }, () => null);
  }

  know(run: string, upload: SeededUpload): void {
    const seen = new Uint8Array(upload.rows + 1);
    this.uploads.set(run, { run, upload, seen, rows: 0, late: 0, groups: new Map() });
  }

  /** The next record of the rows topic, in the order of its partition. */
  read(record: KafkaRecord, complain: Complain): void {
    const control = decodeControl(record);
    if (control !== null) this.end(control, record.partition, complain);
    else this.row(record, complain);
  }

  /** Whether the partition has a row of the upload. */
  groupsIn({ run, partition }: Place): string[] {
    const cities = [...this.uploads.get(run)!.groups.keys()];
    return cities.filter((city) => partitionForKey(city, this.partitions) === partition);
  }

  /** What is missing of an upload that has ended. */
  missing(complain: Complain): void {
    for (const { run, upload, seen, rows } of this.uploads.values()) {
      if (rows === upload.rows) continue;
      complain(`rows: ${run} has ${rows} of ${upload.rows} rows, the first gap is at row ${seen.indexOf(0, 1)}`);
    }
  }

  /** All known uploads have ended and were looked at: a further row of theirs is one that nobody sent. */
  forgetUploads(): void {
    this.uploads.clear();
  }

  private row(record: KafkaRecord, complain: Complain): void {
    const value = JSON.parse(record.value!.toString()) as Record<string, string | number | null>;
    const known = this.uploads.get(value._upload as string);
    const number = value._row as number;
    const sale = known?.upload.row(number);
    if (known === undefined || sale === undefined)
      return complain(`rows: nobody sent row ${number} of ${value._upload}`);
    if (known.seen[number] === 1) return complain(`rows: row ${number} of ${known.run} is there twice`);
    known.seen[number] = 1;
    known.rows++;
    const isSame = value.id === sale.id && value.cidade === sale.city && value._time === sale.timeMs;
    if (!isSame) complain(`rows: row ${number} of ${known.run} is not what was sent: ${JSON.stringify(value)}`);
    const partition = partitionForKey(sale.city, this.partitions);
    if (record.partition !== partition) complain(`rows: row ${number} of ${known.run} is in ${record.partition}`);
    this.apply(known, sale, partition);
  }

  private apply(known: KnownUpload, sale: Sale, partition: number): void {
    const { city, timeMs } = sale;
    entryOf(known.groups, city, () => new UploadGroup()).add(sale);
    this.add('total', city, '', sale);
    this.add('por_dia', city, String(timeMs - (timeMs % DAY_MS)), sale);
    const hourMs = timeMs - (timeMs % HOUR_MS);
    const streamTime = this.streamTimes[partition]!;
    if (streamTime !== null && hourMs + HOUR_MS <= streamTime) known.late++;
    else this.add('por_hora', city, String(hourMs), sale);
  }

  private add(view: string, city: string, start: string, sale: Sale): void {
    entryOf(this.series, `${view}${NUL}${city}${NUL}${start}`, () => new Series()).add(sale);
  }

  private end(control: ControlRecord, partition: number, complain: Complain): void {
    const known = this.uploads.get(control.upload);
    if (known === undefined || control.kind !== 'end-of-upload') return complain(`rows: unexpected ${control.kind}`);
    for (const city of this.groupsIn({ run: known.run, partition })) {
      this.newest.set(city, { run: known.run, group: known.groups.get(city)! });
    }
    if (control.rowsTotal !== known.upload.rows) complain(`rows: ${known.run} ends with ${control.rowsTotal} rows`);
    if (control.streamTime !== known.upload.streamTimeMs) complain(`rows: ${known.run} ends at ${control.streamTime}`);
    this.streamTimes[partition] = Math.max(this.streamTimes[partition] ?? -Infinity, known.upload.streamTimeMs);
  }
}

export function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** Hour windows end an hour after their start. */
export const hourEndMs = (start: string): number => Number(start) + HOUR_MS;
