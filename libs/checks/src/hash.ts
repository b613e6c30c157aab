// One 32-bit hash of a cell, shared by distinct counts and category buckets of a profile.

/** FNV-1a over UTF-16 units with murmur3's last mixing, so that all bits depend on all characters. Unsigned. */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** Of a number, by the bits of its double. */
export function hashNumber(value: number): number {
  double[0] = value;
  return mix(Math.imul(words[0]!, 0x9e3779b1) ^ words[1]!);
}

function mix(bits: number): number {
  let hash = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
