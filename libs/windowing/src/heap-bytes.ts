// What values take in V8's heap (64 bits, no pointer compression), for the estimate of a task's state. Not exact and not
// meant to be: measured against the real heap by bench/memory.mjs, it must not be far too low.

/** An object of up to three fields, its slot included. */
export const OBJECT_BYTES = 56;
/** A `Map` that holds something. */
export const MAP_BYTES = 230;

/** An array of small integers that has grown by pushes and inserts. */
export const arrayBytes = (length: number): number => 40 + 8 * (length + (length >> 1) + 16);

/** A string of its own; anything else is in its slot. One-byte characters where there are no others: taken as such. */
export const textBytes = (value: unknown): number => (typeof value === 'string' ? 24 + value.length : 0);
