// Distances between two distributions, on counts that are already aligned: index i is the same category or bin in both.
// Formulas: L-infinity and Jensen-Shannon as TFDV's comparators have them; PSI with 0.0001 for empty bins;
// Kolmogorov-Smirnov's D with the asymptotic probability of the two-sample test.

export type Counts = readonly number[];

function total(counts: Counts): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

function shares(counts: Counts): number[] {
  const sum = total(counts);
  return counts.map((count) => count / sum);
}

/** Largest absolute difference of normalised counts, 0 to 1. */
export function lInfinity(current: Counts, reference: Counts): number {
  const [p, q] = [shares(current), shares(reference)];
  return p.reduce((largest, share, i) => Math.max(largest, Math.abs(share - q[i]!)), 0);
}

/** (KL(P, M) + KL(Q, M)) / 2 with M the mean of both, in bits: 0 to 1. */
export function jensenShannon(current: Counts, reference: Counts): number {
  const [p, q] = [shares(current), shares(reference)];
  const term = (share: number, mean: number) => (share === 0 ? 0 : share * Math.log2(share / mean));
  const sum = p.reduce((bits, share, i) => {
    const mean = (share + q[i]!) / 2;
    return bits + term(share, mean) + term(q[i]!, mean);
  }, 0);
  return Math.min(1, Math.max(0, sum / 2));
}

const EMPTY_BIN = 0.0001;

/** Population stability index: the sum of (p - q) ln(p / q). */
export function psi(current: Counts, reference: Counts): number {
  const [p, q] = [shares(current), shares(reference)].map((all) =>
    all.map((share) => (share === 0 ? EMPTY_BIN : share)),
  );
  return p!.reduce((sum, share, i) => sum + (share - q![i]!) * Math.log(share / q![i]!), 0);
}

/** D: the largest distance of the cumulated shares, bins in the order of the values. */
export function kolmogorovSmirnov(current: Counts, reference: Counts): number {
  const [p, q] = [shares(current), shares(reference)];
  let largest = 0;
  let distance = 0;
  p.forEach((share, i) => {
    distance += share - q[i]!;
    largest = Math.max(largest, Math.abs(distance));
  });
  return largest;
}

/** Probability of a D at least as large between two samples of one distribution (Kolmogorov's limit). */
export function kolmogorovProbability(d: number, current: number, reference: number): number {
  const lambda = Math.sqrt((current * reference) / (current + reference)) * d;
  // The alternating series needs many terms near zero, where the probability is 1.
  if (lambda < 0.2) return 1;
  let sum = 0;
  for (let k = 1; k <= 100; k++) {
    const term = Math.exp(-2 * k * k * lambda * lambda);
    sum += k % 2 === 1 ? term : -term;
    if (term < 1e-17) break;
  }
  return Math.min(1, Math.max(0, 2 * sum));
}
