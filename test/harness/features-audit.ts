// The second half of the oracle: every record of `features` in log order, also those that a later one has replaced. A row
// that counted twice, or was lost and made good later, shows in between even when the last values are right.
import { isDeepStrictEqual } from 'node:util';
import { decodeEndOfFeatures, parseFeatureKey, type FeatureRecord } from '#contracts';
import type { KafkaRecord } from '#kafka';
import { hourEndMs, type Complain, type Place, type RowsAudit } from './rows-audit.js';

export class FeaturesAudit {
  /** Upload features seen, by run and city. */
  private readonly emitted = new Set<string>();
  private readonly ended = new Set<string>();
  private readonly sinceEnd: number[];
  /** Feature records up to the end of each run, over all partitions: what its run must say was written. */
  readonly recordsOf = new Map<string, number>();
  readonly lateOf = new Map<string, number>();

  constructor(
    private readonly rows: RowsAudit,
    partitions: number,
  ) {
    this.sinceEnd = Array.from({ length: partitions }, () => 0);
  }

  read(record: KafkaRecord, complain: Complain): void {
    const key = record.key!.toString();
    const end = decodeEndOfFeatures(key, record.value);
    if (end !== null) return this.end({ run: end.upload, partition: record.partition }, end.late, complain);
    const parts = parseFeatureKey(key);
    if (parts === null || record.value === null) return complain(`features: unexpected record ${JSON.stringify(key)}`);
    this.sinceEnd[record.partition]!++;
    const value = JSON.parse(record.value.toString()) as FeatureRecord;
    if (parts.view === 'por_upload') this.uploadFeature(parts.group, value, complain);
    else this.windowFeature(key, value, complain);
  }

  /** What was due and never came. */
  missing(partitions: number, complain: Complain): void {
    for (const run of this.rows.uploads.keys()) {
      for (let partition = 0; partition < partitions; partition++) {
        if (!this.ended.has(nameOf({ run, partition }))) complain(`features: ${run} has no end in ${partition}`);
      }
    }
    for (const [key, series] of this.rows.series) {
      if (series.emitted !== series.rows)
        complain(`features: ${shown(key)} ends at ${series.emitted} of ${series.rows}`);
      const [view, , start] = key.split('\u0000');
      const isDue = view === 'por_hora' && hourEndMs(start!) <= this.lastStreamTime();
      if (isDue !== series.isFinal) complain(`features: ${shown(key)} is ${series.isFinal ? '' : 'not '}final`);
    }
  }

  private lastStreamTime(): number {
    return Math.max(...this.rows.streamTimes.map((time) => time ?? Number.NEGATIVE_INFINITY));
  }

  private uploadFeature(city: string, value: FeatureRecord, complain: Complain): void {
    const known = this.rows.uploads.get(value.upload);
    const expected = known?.groups.get(city)?.features();
    const name = `${value.upload} ${city}`;
    if (this.emitted.has(name)) complain(`features: ${name} is there twice`);
    this.emitted.add(name);
    if (!value.final) complain(`features: ${name} is not final`);
    if (!isDeepStrictEqual(value.features, expected)) {
      complain(`features: ${name} is ${JSON.stringify(value.features)}, expected ${JSON.stringify(expected)}`);
    }
  }

  /** The result after n rows must be that of the first n rows of the log, and n must rise. */
  private windowFeature(key: string, value: FeatureRecord, complain: Complain): void {
    const series = this.rows.series.get(key);
    if (series === undefined) return complain(`features: ${shown(key)} has no rows`);
    const rows = value.features.vendas as number;
    const hasRisen = rows > series.emitted || (value.final && rows === series.emitted);
    if (!hasRisen) return complain(`features: ${shown(key)} goes from ${series.emitted} rows to ${rows}`);
    const expected = series.featuresAfter(rows);
    if (!isDeepStrictEqual(value.features, expected)) {
      const found = JSON.stringify(value.features);
      return complain(`features: ${shown(key)} is ${found}, expected ${JSON.stringify(expected)}`);
    }
    if (series.isFinal) complain(`features: ${shown(key)} changes after its final record`);
    if (value.final && rows !== series.rows) complain(`features: ${shown(key)} is final at ${rows} of ${series.rows}`);
    series.emit(rows, value.final);
  }

  private end(place: Place, late: number, complain: Complain): void {
    const { run, partition } = place;
    if (!this.rows.uploads.has(run)) return complain(`features: nobody sent ${run}, which ends in ${partition}`);
    if (this.ended.has(nameOf(place))) complain(`features: ${run} ends twice in ${partition}`);
    this.ended.add(nameOf(place));
    this.recordsOf.set(run, (this.recordsOf.get(run) ?? 0) + this.sinceEnd[partition]!);
    this.lateOf.set(run, (this.lateOf.get(run) ?? 0) + late);
    this.sinceEnd[partition] = 0;
    for (const city of this.rows.groupsIn(place)) {
      if (!this.emitted.has(`${run} ${city}`)) complain(`features: ${run} ends in ${partition} before ${city}`);
    }
  }
}

const nameOf = ({ run, partition }: Place): string => `${run}/${partition}`;
const shown = (key: string): string => key.replaceAll('\u0000', '|');
