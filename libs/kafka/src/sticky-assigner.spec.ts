// Dealing partitions: everyone gets a fair share, and keeps what it has as far as that allows.
import fc from 'fast-check';
import { assignSticky, type Claim } from './sticky-assigner.js';

const claim = (generation: number, ...partitions: number[]): Claim => ({ generation, partitions });
const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

const members = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 4 }),
  fc.record({ generation: fc.integer({ min: -1, max: 3 }), partitions: fc.array(fc.nat(20)) }),
  { minKeys: 1, maxKeys: 6 },
);

describe('assignSticky', () => {
  it('assigns every partition once, and loads differ by one at most', () => {
    fc.assert(
      fc.property(fc.nat(16), members, (count, claims) => {
        const assigned = [...assignSticky(range(count), new Map(Object.entries(claims))).values()];
        expect(assigned.flat().sort((a, b) => a - b)).toEqual(range(count));
        const loads = assigned.map(({ length }) => length);
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('changes nothing when nothing has changed', () => {
    fc.assert(
      fc.property(fc.nat(16), members, (count, claims) => {
        const first = assignSticky(range(count), new Map(Object.entries(claims)));
        const again = new Map([...first].map(([id, partitions]) => [id, claim(5, ...partitions)]));
        expect(assignSticky(range(count), again)).toEqual(first);
      }),
    );
  });

  it('takes from the members that have more than their share, and no more than needed', () => {
    const assigned = assignSticky(
      range(4),
      new Map([
        ['a', claim(1, 0, 1)],
        ['b', claim(1, 2, 3)],
        ['new', claim(-1)],
      ]),
    );
    expect(assigned.get('a')).toEqual([0, 1]);
    expect(assigned.get('b')).toEqual([2]);
    expect(assigned.get('new')).toEqual([3]);
  });

  it('believes the newer generation when two claim the same', () => {
    const assigned = assignSticky(
      range(2),
      new Map([
        ['a-zombie', claim(3, 0, 1)],
        ['owner', claim(4, 0)],
      ]),
    );
    expect(assigned.get('owner')).toEqual([0]);
    expect(assigned.get('a-zombie')).toEqual([1]);
  });

  it('leaves members without a partition when there are too few', () => {
    const assigned = assignSticky(
      [0],
      new Map([
        ['a', claim(-1)],
        ['b', claim(2, 0)],
      ]),
    );
    expect([assigned.get('a'), assigned.get('b')]).toEqual([[], [0]]);
  });
});
