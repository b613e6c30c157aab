// Against numbers of scipy 1.x: jensenshannon(P, Q, base=2) ** 2, ks_2samp(a, b).statistic of the repeated indices,
// scipy.special.kolmogorov(sqrt(n m / (n + m)) D); numpy: max |P - Q|, sum((p - q) ln(p / q)) with 0 replaced by 1e-4.
import { jensenShannon, kolmogorovProbability, kolmogorovSmirnov, lInfinity, psi, type Counts } from './drift.js';

const sum = (counts: Counts) => counts.reduce((total, count) => total + count, 0);

describe('drift measures', () => {
  it.each<[current: number[], reference: number[], lInf: number, js: number, psi: number, d: number, p: number]>([
    [[10, 20, 30, 40], [25, 25, 25, 25], 0.15, 0.0402015823461419, 0.22821740957339182, 0.2, 0.03663105270711935],
    [[5, 0, 95], [50, 30, 20], 0.75, 0.49585577274950454, 4.605881388920542, 0.75, 7.446726243500968e-25],
    [[1, 2, 3], [10, 20, 30], 0, 0, 0, 0, 1],
    [[100, 0], [0, 100], 1, 1, 18.41883867587797, 1, 7.440151952041566e-44],
    [
      [7, 13, 1, 29, 50],
      [11, 3, 17, 19, 23],
      0.2228767123287671,
      0.13560724819466746,
      0.9544635491455684,
      0.21465753424657533,
      0.04094551834176894,
    ],
  ])('of %j and %j', (current, reference, lInf, js, stability, d, p) => {
    expect(lInfinity(current, reference)).toBeCloseTo(lInf, 12);
    expect(jensenShannon(current, reference)).toBeCloseTo(js, 12);
    expect(psi(current, reference)).toBeCloseTo(stability, 10);
    expect(kolmogorovSmirnov(current, reference)).toBeCloseTo(d, 12);
    const probability = kolmogorovProbability(d, sum(current), sum(reference));
    expect(Math.abs(probability - p)).toBeLessThanOrEqual(p * 1e-9);
  });

  it('by hand: shares 1/2, 1/2 against 3/4, 1/4', () => {
    const [p, q] = [
      [1, 1],
      [3, 1],
    ];
    expect(lInfinity(p, q)).toBe(0.25);
    expect(kolmogorovSmirnov(p, q)).toBe(0.25);
    // (1/2 - 3/4) ln(2/3) + (1/2 - 1/4) ln 2 = ln(3) / 4
    expect(psi(p, q)).toBeCloseTo(Math.log(3) / 4, 12);
    // M = 5/8, 3/8.
    const js = (0.5 * Math.log2(0.8) + 0.5 * Math.log2(4 / 3) + 0.75 * Math.log2(1.2) + 0.25 * Math.log2(2 / 3)) / 2;
    expect(jensenShannon(p, q)).toBeCloseTo(js, 12);
  });
});
