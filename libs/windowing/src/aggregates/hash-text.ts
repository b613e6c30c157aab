// A 64-bit hash of a text for the sketches: the same everywhere and for ever, since encoded sketches depend on it.
// Two lanes of MurmurHash3's 32-bit rounds with different constants, one UTF-16 unit a round.

// Taken once: this runs for every character.
const { imul } = Math;

/** Where {@link hashText} leaves its two unsigned 32-bit halves, so that no call allocates. */
export const hashed = new Uint32Array(2);

export function hashText(text: string): void {
  let a = 0x2f1b_a6c5;
  let b = 0x7c3d_91e7;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i) + 1;
    a = imul(rotate(a ^ imul(rotate(imul(unit, 0xcc9e_2d51), 15), 0x1b87_3593), 13), 5) + 0xe654_6b64;
    b = imul(rotate(b ^ imul(rotate(imul(unit, 0x38b3_4ae5), 16), 0xa1e3_8b93), 17), 5) + 0x561c_cd1b;
  }
  a = mix(a ^ text.length);
  b = mix((b ^ text.length) + a);
  hashed[0] = a;
  hashed[1] = b;
}

/** 16 hexadecimal digits. */
export function hashHex(text: string): string {
  hashText(text);
  return hashed[0]!.toString(16).padStart(8, '0') + hashed[1]!.toString(16).padStart(8, '0');
}

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

function mix(value: number): number {
  let h = value;
  h = imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return h ^ (h >>> 16);
}
