// The benchmark's file: N rows from a seed, cities zipf-like, a year of event times, two-digit decimals, and beside it
// the direct computation (in cents, exact) that results are verified against.
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';

const CITIES = 5_000;
const YEAR_MS = 365 * 86_400_000;
const START_MS = Date.UTC(2023, 0, 1);
const HEADER = 'cnpj,data_abertura,cidade,estado,capital_social\n';

/** A small, fast generator with a seed (mulberry32). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes the file; answers `{bytes, expected}`: per city count and sum in cents. */
export async function makeRows({ path, rows, seed }) {
  const random = generator(seed);
  const out = createWriteStream(path);
  const expected = new Map();
  let bytes = 0;
  let chunk = HEADER;
  for (let i = 0; i < rows; i++) {
    // Inverse of a zipf-like distribution (exponent 1): a few cities have most rows, every city some.
    const city = `Cidade ${Math.min(CITIES, Math.floor(Math.exp(random() * Math.log(CITIES + 1))))}`;
    const cents = Math.floor(random() * 100_000_000);
    const time = new Date(START_MS + Math.floor(random() * YEAR_MS)).toISOString();
    chunk += `${String(i).padStart(14, '0')},${time},${city},SP,${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}\n`;
    const group = expected.get(city) ?? { count: 0, cents: 0n };
    group.count++;
    group.cents += BigInt(cents);
    expected.set(city, group);
    if (chunk.length > 1 << 20) {
      bytes += Buffer.byteLength(chunk);
      if (!out.write(chunk)) await once(out, 'drain');
      chunk = '';
    }
  }
  bytes += Buffer.byteLength(chunk);
  out.end(chunk);
  await once(out, 'finish');
  return { bytes, expected };
}

/** `cents / 100`, or with `count` the average with 6 digits half-even, written plain. */
export function plain(cents, count = 1) {
  const scaled = cents * 10_000n; // six fractional digits
  const divisor = BigInt(count);
  let quotient = scaled / divisor;
  const twice = (scaled % divisor) * 2n;
  if (twice > divisor || (twice === divisor && quotient % 2n === 1n)) quotient++;
  const digits = String(quotient).padStart(7, '0');
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`.replace(/\.?0+$/, '');
}
