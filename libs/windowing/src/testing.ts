// For specs of aggregates: cells as if each came in the next row of one upload; seeded numbers; cells in many parts.
import type { Cell } from '#contracts';
import type { Aggregate, RowPlace } from './aggregates/aggregate.js';

export const place = (row = 1): RowPlace => ({ upload: 'u1', row, time: 0 });

export function accumulate<A>(aggregate: Aggregate<A>, cells: readonly Cell[]): A {
  const accumulator = aggregate.empty();
  cells.forEach((cell, i) => aggregate.add(accumulator, cell, place(i + 1)));
  return accumulator;
}

const { imul } = Math;

/** Numbers from 0 up to 1, the same for a seed (mulberry32). */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let t = state;
    t = imul(t ^ (t >>> 15), t | 1);
    t ^= t + imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Cells cut into `parts` accumulators, each through the changelog's form, and merged from the last to the first. */
export function mergedParts<A>(aggregate: Aggregate<A>, cells: readonly Cell[], parts: number): A {
  const total = aggregate.empty();
  for (let part = parts - 1; part >= 0; part--) {
    const mine = cells.filter((_, i) => i % parts === part);
    aggregate.merge(total, aggregate.decode(JSON.parse(JSON.stringify(aggregate.encode(accumulate(aggregate, mine))))));
  }
  return total;
}
