// Dealing partitions: everyone gets a fair share, and keeps what it has as far as that allows.
import type { PartitionAssigner } from 'kafkajs';
import fc from 'fast-check';
import { kafkajs } from './kafkajs.js';
import { assignSticky, stickyAssigner, type Claim } from './sticky-assigner.js';

const { MemberAssignment } = kafkajs.AssignerProtocol;
const numRuns = Number(process.env.CAUDAL_CASES ?? 100);

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

/** Every way to deal `count` tasks to `members` evenly. */
function* evenDeals(count: number, members: readonly string[]): Generator<string[]> {
  for (let code = 0; code < members.length ** count; code++) {
    const deal = range(count).map((task) => members[Math.floor(code / members.length ** task) % members.length]!);
    const loads = members.map((member) => deal.filter((owner) => owner === member).length);
    if (Math.max(...loads) - Math.min(...loads) <= 1) yield deal;
  }
}

describe('a group over a history of joins and leaves', () => {
  // Members come and go; now and then one comes back that slept and still claims what it had long ago. After each
  // change, of all even deals there must be none that takes fewer tasks away from members that are still there.
  it('moves the fewest tasks that an even deal allows', () => {
    const event = fc.record({ kind: fc.constantFrom('join', 'leave', 'sleep', 'wake'), who: fc.nat(5) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(event, { maxLength: 8 }), (count, events) => {
        let claims = new Map([['m0', claim(-1)]]);
        const asleep = new Map<string, Claim>();
        let owner = new Map<number, string>();
        events.forEach(({ kind, who }, at) => {
          const known = [...(kind === 'wake' ? asleep : claims).keys()];
          const id = kind === 'join' ? `m${at + 1}` : known[who % Math.max(known.length, 1)];
          if (id === undefined || (kind === 'join' ? claims.size >= 4 : kind !== 'wake' && claims.size === 1)) return;
          if (kind === 'join') claims.set(id, claim(-1));
          if (kind === 'wake') claims.set(id, asleep.get(id)!);
          if (kind === 'wake') asleep.delete(id);
          if (kind === 'sleep') asleep.set(id, claims.get(id)!);
          if (kind === 'leave' || kind === 'sleep') claims.delete(id);
          const assigned = assignSticky(range(count), claims);
          const now = new Map([...assigned].flatMap(([member, tasks]) => tasks.map((task) => [task, member])));
          const moved = (deal: (task: number) => string): number =>
            [...owner].filter(([task, member]) => claims.has(member) && deal(task) !== member).length;
          const fewest = Math.min(
            ...[...evenDeals(count, [...claims.keys()])].map((deal) => moved((task) => deal[task]!)),
          );
          expect(moved((task) => now.get(task)!)).toBe(fewest);
          owner = now;
          claims = new Map([...assigned].map(([member, tasks]) => [member, claim(at, ...tasks)]));
        });
      }),
      { numRuns },
    );
  });
});

describe('stickyAssigner', () => {
  type Cluster = Parameters<PartitionAssigner>[0]['cluster'];
  const open = (counts: Record<string, number>, owned: Claim) => {
    const findTopicPartitionMetadata = (topic: string) => range(counts[topic]!).map((partitionId) => ({ partitionId }));
    return stickyAssigner(() => owned)({ cluster: { findTopicPartitionMetadata } as unknown as Cluster } as never);
  };

  it('keeps partition p of all topics of the group in one process, and what each member says it owns', async () => {
    const topics = ['rows', 'partials', 'short'];
    const counts = { rows: 6, partials: 6, short: 2 };
    const members = [claim(3, 1, 4), claim(3, 0, 2), claim(-1)].map((owned, at) => ({
      memberId: `m${at}`,
      memberMetadata: open(counts, owned).protocol({ topics }).metadata,
    }));
    const assigned = await open(counts, claim(-1)).assign({ members, topics });
    const decoded = assigned.map(({ memberAssignment }) => MemberAssignment.decode(memberAssignment)!.assignment);
    expect(decoded.map(({ rows }) => rows)).toEqual([
      [1, 4],
      [0, 2],
      [3, 5],
    ]);
    for (const { rows, partials, short } of decoded) {
      expect(partials).toEqual(rows);
      expect(short).toEqual(rows!.filter((task) => task < 2));
    }
  });

  it('takes a member whose claim it cannot read for a new one', async () => {
    const userData = Buffer.from('not json');
    const foreign = kafkajs.AssignerProtocol.MemberMetadata.encode({ version: 1, topics: ['rows'], userData });
    const members = [{ memberId: 'other', memberMetadata: foreign }];
    const [only] = await open({ rows: 1 }, claim(-1)).assign({ members, topics: ['rows'] });
    expect(MemberAssignment.decode(only!.memberAssignment)!.assignment).toEqual({ rows: [0] });
  });
});
