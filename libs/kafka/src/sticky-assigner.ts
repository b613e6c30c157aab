// Who gets which task: evenly, and everyone keeps what it has, because moving a task means restoring its state.
// Task p is partition p of every topic of the group, always in one process. Members say which tasks they own, and since
// which generation, in the userData of their join request.
import type { PartitionAssigner } from 'kafkajs';
import { kafkajs } from './kafkajs.js';

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

/** What a member says it owns. Of two that claim the same partition, the newer generation is believed. */
export interface Claim {
  generation: number;
  partitions: number[];
}

const NAME = 'caudal-sticky';
const VERSION = 1;

/** Deals `partitions` to members: loads differ by one at most, and as many claims as that allows are honoured. */
export function assignSticky(partitions: readonly number[], claims: ReadonlyMap<string, Claim>): Map<string, number[]> {
  const members = [...claims].sort(
    ([idA, a], [idB, b]) => b.generation - a.generation || (idA < idB ? -1 : idA > idB ? 1 : 0),
  );
  const assigned = new Map<string, number[]>(members.map(([id]) => [id, []]));
  if (members.length === 0) return assigned;
  const floor = Math.floor(partitions.length / members.length);
  let extras = partitions.length % members.length; // so many members get one more than the others
  const free = new Set(partitions);
  for (const [id, claim] of members) {
    const kept = assigned.get(id) ?? [];
    for (const partition of claim.partitions) {
      if (!free.has(partition)) continue;
      if (kept.length >= floor + (extras > 0 ? 1 : 0)) break;
      kept.push(partition);
      free.delete(partition);
    }
    if (kept.length > floor) extras--;
  }
  for (const partition of free) {
    const lists = [...assigned.values()];
    const shortest = lists.reduce((least, list) => (list.length < least.length ? list : least));
    shortest.push(partition);
  }
  for (const list of assigned.values()) list.sort((a, b) => a - b);
  return assigned;
}

function decodeClaim(userData: Buffer): Claim {
  try {
    const { generation, partitions } = JSON.parse(userData.toString()) as Partial<Claim>;
    if (typeof generation === 'number' && Array.isArray(partitions)) return { generation, partitions };
  } catch {
    // A member of another version claims nothing.
  }
  return { generation: -1, partitions: [] };
}

/** The assigner of one member; `owned` is asked at every join. */
export function stickyAssigner(owned: () => Claim): PartitionAssigner {
  return ({ cluster }) => ({
    name: NAME,
    version: VERSION,
    protocol: ({ topics }) => ({
      name: NAME,
      metadata: MemberMetadata.encode({
        version: VERSION,
        topics,
        userData: Buffer.from(JSON.stringify(owned())),
      }),
    }),
    assign: async ({ members, topics }) => {
      const partitionsOf = new Map(
        topics.map((topic) => [
          topic,
          new Set(cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)),
        ]),
      );
      const tasks = new Set([...partitionsOf.values()].flatMap((partitions) => [...partitions]));
      const claims = new Map(
        members.map(({ memberId, memberMetadata }) => {
          const userData = MemberMetadata.decode(memberMetadata)?.userData;
          return [memberId, decodeClaim(userData ?? Buffer.alloc(0))];
        }),
      );
      const assigned = assignSticky(
        [...tasks].sort((a, b) => a - b),
        claims,
      );
      return [...assigned].map(([memberId, list]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version: VERSION,
          assignment: Object.fromEntries(
            [...partitionsOf].map(([topic, partitions]) => [topic, list.filter((task) => partitions.has(task))]),
          ),
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });
}
