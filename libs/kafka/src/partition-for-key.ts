// Where a key goes: Java's default partitioner (murmur2), so that any Kafka client puts a key in the same partition.

const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;

/** Kafka's murmur2 of the bytes, as a signed 32 bit integer. */
export function murmur2(data: Buffer): number {
  const length = data.length;
  let hash = SEED ^ length;
  const wholeWords = length & ~3;
  for (let at = 0; at < wholeWords; at += 4) {
    let word = Math.imul(data.readInt32LE(at), MIX);
    word ^= word >>> 24;
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX);
  }
  const rest = length & 3;
  if (rest > 0) {
    for (let at = rest - 1; at >= 0; at--) hash ^= (data[wholeWords + at] ?? 0) << (8 * at);
    hash = Math.imul(hash, MIX);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MIX);
  return hash ^ (hash >>> 15);
}

/** The partition (0 up to `partitions`) of a key; text is taken as UTF-8. */
export function partitionForKey(key: string | Buffer, partitions: number): number {
  if (!Number.isInteger(partitions) || partitions < 1)
    throw new RangeError(`partitions must be >= 1, got ${partitions}`);
  return (murmur2(typeof key === 'string' ? Buffer.from(key) : key) & 0x7fffffff) % partitions;
}
