// Two profiles of a column -> two lists of counts over the same categories or bins, which drift measures compare.
import { isoMs } from './iso-ms.js';
import { foldBuckets } from './categories.js';
import type { ColumnProfile } from './column-profile.js';
import type { Counts } from './drift.js';

export interface Aligned {
  current: Counts;
  reference: Counts;
  /** What the counts are of. */
  of: 'values' | 'hash buckets' | 'bins';
}

/** Numbers with so few different values in both are compared value by value. */
const FEW_VALUES = 20;
const GROUPS = 10;

/** For L-infinity, Jensen-Shannon and PSI. */
export function alignCategories(current: ColumnProfile, reference: ColumnProfile): Aligned {
  const [a, b] = [current.categories.known, reference.categories.known];
  const numeric = current.histogram !== null && reference.histogram !== null;
  const few = a !== null && b !== null && a.size <= FEW_VALUES && b.size <= FEW_VALUES;
  if (numeric && !few) return groupByReference(alignBins(current, reference));
  if (a !== null && b !== null) {
    const values = [...new Set([...a.keys(), ...b.keys()])].sort();
    return {
      current: values.map((value) => a.get(value) ?? 0),
      reference: values.map((value) => b.get(value) ?? 0),
      of: 'values',
    };
  }
  const [hashed, others] = [current.categories.hashed, reference.categories.hashed];
  const size = Math.min(hashed.length, others.length);
  return { current: foldBuckets(hashed, size), reference: foldBuckets(others, size), of: 'hash buckets' };
}

/** For Kolmogorov-Smirnov: in the order of the values, each by itself while all are known. Both must have a histogram. */
export function alignNumbers(current: ColumnProfile, reference: ColumnProfile): Aligned {
  const [a, b] = [current.categories.known, reference.categories.known];
  if (a === null || b === null) return alignBins(current, reference);
  const place = current.type === 'timestamp' ? (text: string) => isoMs(text) : Number;
  const values = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => place(x) - place(y));
  return {
    current: values.map((value) => a.get(value) ?? 0),
    reference: values.map((value) => b.get(value) ?? 0),
    of: 'values',
  };
}

/** Bins at the coarser level of the two, over the union of their edges. */
function alignBins(current: ColumnProfile, reference: ColumnProfile): Aligned {
  const level = Math.max(current.histogram!.coarseness, reference.histogram!.coarseness);
  const a = new Map(current.histogram!.at(level).sorted());
  const b = new Map(reference.histogram!.at(level).sorted());
  const indices = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => x - y);
  return {
    current: indices.map((index) => a.get(index) ?? 0),
    reference: indices.map((index) => b.get(index) ?? 0),
    of: 'bins',
  };
}

/**
 * Neighbouring bins joined until each group holds a tenth of the reference: with hundreds of fine bins, chance alone would
 * look like drift. What lies below or above everything in the reference is a group of its own.
 */
function groupByReference(fine: Aligned): Aligned {
  const isFilled = (count: number) => count > 0;
  const first = fine.reference.findIndex(isFilled);
  const last = fine.reference.findLastIndex(isFilled);
  const whole = sum(fine.reference);
  const grouped: Aligned = { current: [], reference: [], of: 'bins' };
  const push = (from: number, to: number) => {
    if (from >= to) return;
    (grouped.current as number[]).push(sum(fine.current.slice(from, to)));
    (grouped.reference as number[]).push(sum(fine.reference.slice(from, to)));
  };
  if (first === -1) return fine;
  push(0, first);
  let begin = first;
  let seen = 0;
  let groups = 1;
  for (let i = first; i <= last; i++) {
    seen += fine.reference[i]!;
    if (seen * GROUPS < groups * whole && i < last) continue;
    push(begin, i + 1);
    begin = i + 1;
    groups = Math.floor((seen * GROUPS) / whole) + 1;
  }
  push(last + 1, fine.reference.length);
  return grouped;
}

function sum(counts: Counts): number {
  return counts.reduce((total, count) => total + count, 0);
}
