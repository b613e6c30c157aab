// `approx_count_distinct`: HyperLogLog with 4,096 registers, standard error 1.04 / sqrt(4096) = 1.6 %. A register is the
// largest rank seen, so order and repeats never matter. While few are set they are kept as a sorted list.
import { cellText } from '#contracts';
import { WindowingError } from '../errors.js';
import { arrayBytes, OBJECT_BYTES } from '../heap-bytes.js';
import type { Aggregate } from './aggregate.js';
import { DIGITS, digitAt } from './base64-digits.js';
import { hashed, hashText } from './hash-text.js';

const INDEX_BITS = 12;
const REGISTERS = 1 << INDEX_BITS;
/** Bits of the hash beside the register's index. */
const RANK_BITS = 64 - INDEX_BITS;
const MAX_RANK = RANK_BITS + 1;
/** More set registers than this take less memory as bytes. */
const SPARSE_REGISTERS = 512;
/** 4,096 bytes behind a typed array, outside the heap, and the array itself. */
const DENSE_BYTES = 4_096 + 300;

/** One of the two forms, by the number of set registers alone: equal registers are equal in memory and in text. */
interface Registers {
  /** `index * 64 + rank`, ascending; null when dense. */
  sparse: number[] | null;
  dense: Uint8Array | null;
}

const empty = (): Registers => ({ sparse: [], dense: null });

function setRegister(registers: Registers, index: number, rank: number): void {
  const { sparse, dense } = registers;
  if (dense !== null) {
    if (dense[index]! < rank) dense[index] = rank;
    return;
  }
  const item = index * 64 + rank;
  const at = lowerBound(sparse!, index * 64);
  if (at < sparse!.length && sparse![at]! >> 6 === index) {
    if (sparse![at]! < item) sparse![at] = item;
    return;
  }
  sparse!.splice(at, 0, item);
  if (sparse!.length > SPARSE_REGISTERS) densify(registers);
}

function densify(registers: Registers): void {
  const dense = new Uint8Array(REGISTERS);
  for (const item of registers.sparse!) dense[item >> 6] = item % 64;
  registers.dense = dense;
  registers.sparse = null;
}

function lowerBound(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** 1 + the zeros before the first one of the hash's lower 52 bits. */
function rankOf(high20: number, low32: number): number {
  return high20 > 0 ? Math.clz32(high20) - INDEX_BITS + 1 : 20 + Math.clz32(low32) + 1;
}

/** Ertl's improved raw estimator (2017): no tables, no bias where small and large ranges meet. */
function estimate({ sparse, dense }: Registers): number {
  const ranks = new Float64Array(MAX_RANK + 1);
  ranks[0] = dense === null ? REGISTERS - sparse!.length : 0;
  for (const item of sparse ?? dense!) ranks[item % 64]!++;
  let z = REGISTERS * tau(1 - ranks[MAX_RANK]! / REGISTERS);
  for (let rank = RANK_BITS; rank >= 1; rank--) z = 0.5 * (z + ranks[rank]!);
  z += REGISTERS * sigma(ranks[0]! / REGISTERS);
  return Math.round((REGISTERS * REGISTERS) / (2 * Math.LN2 * z));
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let [x, y, z, before] = [share, 1, share, -1];
  while (z !== before) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let [x, y, z, before] = [share, 1, 1 - share, -1];
  while (z !== before) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}

export const approxCountDistinct: Aggregate<Registers> = {
  empty,
  clone: ({ sparse, dense }) => ({ sparse: sparse && sparse.slice(), dense: dense && dense.slice() }),
  add(registers, cell) {
    if (cell === null || cell === '') return;
    hashText(cellText(cell));
    const high = hashed[0]!;
    setRegister(registers, high >>> 20, rankOf(high & 0xf_ffff, hashed[1]!));
  },
  merge(into, { sparse, dense }) {
    if (sparse !== null) for (const item of sparse) setRegister(into, item >> 6, item % 64);
    if (dense === null) return;
    if (into.dense === null) densify(into);
    for (let index = 0; index < REGISTERS; index++) setRegister(into, index, dense[index]!);
  },
  bytes: ({ sparse }) => OBJECT_BYTES + (sparse === null ? DENSE_BYTES : arrayBytes(sparse.length)),
  result: estimate,
  /** Three characters a set register, or one for each of all. */
  encode({ sparse, dense }) {
    let text = '';
    if (sparse === null) for (const rank of dense!) text += DIGITS[rank]!;
    else for (const item of sparse) text += DIGITS[item >> 12]! + DIGITS[(item >> 6) & 63]! + DIGITS[item & 63]!;
    return text;
  },
  decode(value) {
    if (typeof value !== 'string') throw new WindowingError('bad_changelog', 'no registers in a changelog record');
    if (value.length === REGISTERS) {
      return { sparse: null, dense: Uint8Array.from({ length: REGISTERS }, (_, at) => digitAt(value, at)) };
    }
    const registers = empty();
    for (let at = 0; at < value.length; at += 3) {
      setRegister(registers, digitAt(value, at) * 64 + digitAt(value, at + 1), digitAt(value, at + 2));
    }
    return registers;
  },
};
