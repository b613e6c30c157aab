// `approx_quantile`: a DDSketch with whole counts. The value at rank floor(q (n - 1)) of the sorted values, at most 1 % off
// while the values fill at most 1,792 bins, which 15 powers of ten do; beyond that every two neighbouring bins become one
// (2 %, 4 %, ...). The smallest and largest value are exact.
import type { Cell } from '#contracts';
import { Decimal } from '../decimal.js';
import { WindowingError } from '../errors.js';
import { OBJECT_BYTES } from '../heap-bytes.js';
import type { Aggregate } from './aggregate.js';
import { decodeNumbers, encodeNumber } from './base64-digits.js';
import type { Extreme } from './extreme.js';
import { max } from './max.js';
import { min } from './min.js';
import { QuantileBins } from './quantile-bins.js';

/** Significant digits of a result. */
const DIGITS = 9;

interface Sketch {
  readonly bins: QuantileBins;
  readonly least: Extreme;
  readonly most: Extreme;
}

const empty = (): Sketch => ({ bins: new QuantileBins(), least: min.empty(), most: max.empty() });

/** `q`: 0 to 1. */
export function approxQuantile(q: number): Aggregate<Sketch> {
  return {
    empty,
    clone: ({ bins, least, most }) => ({ bins: bins.clone(), least: min.clone(least), most: max.clone(most) }),
    add({ bins, least, most }, cell: Cell, place) {
      if (cell === null || cell === '') return;
      min.add(least, cell, place);
      max.add(most, cell, place);
      bins.add(Number(cell), 1);
    },
    merge(into, other) {
      into.bins.merge(other.bins);
      min.merge(into.least, other.least);
      max.merge(into.most, other.most);
    },
    bytes: ({ bins, least, most }) => OBJECT_BYTES + bins.bytes + min.bytes(least) + max.bytes(most),
    result({ bins, least, most }) {
      if (least.best === null || most.best === null) return null;
      const value = decimalOf(bins.valueAt(Math.floor(q * (bins.count - 1))));
      if (value.compare(least.best) < 0 || q === 0) return least.best.format();
      if (value.compare(most.best) > 0 || q === 1) return most.best.format();
      return value.format();
    },
    encode({ bins, least, most }) {
      if (bins.count === 0) return null;
      return [min.encode(least), max.encode(most), bins.numbers().map(encodeNumber).join('')];
    },
    decode(value) {
      if (value === null) return empty();
      const [least, most, bins] = Array.isArray(value) ? (value as unknown[]) : [];
      if (typeof bins !== 'string' || typeof least !== 'string' || typeof most !== 'string') {
        throw new WindowingError('bad_changelog', 'no quantile sketch in a changelog record');
      }
      return { bins: QuantileBins.of(decodeNumbers(bins)), least: min.decode(least), most: max.decode(most) };
    },
  };
}

/** The double as a plain decimal of nine significant digits. */
function decimalOf(value: number): Decimal {
  const [mantissa, exponent] = value.toExponential(DIGITS - 1).split('e') as [string, string];
  const scale = DIGITS - 1 - Number(exponent);
  const unscaled = BigInt(mantissa.replace('.', ''));
  return scale >= 0 ? Decimal.of(unscaled, scale) : Decimal.of(unscaled * 10n ** BigInt(-scale), 0);
}
