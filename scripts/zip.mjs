// Reads one file out of a zip (a jar is one): the Redis binary inside its Maven artifact. No zip64, no encryption.
import { inflateRawSync } from 'node:zlib';

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const endBytes = 22;
const entryBytes = 46;
const localHeaderBytes = 30;

/** The content of the entry `name` of a zip, both Buffers. Throws when it is no zip or has no such entry. */
export function readZipEntry(zip, name) {
  let end = zip.length - endBytes; // a comment may follow the end record, so it is looked for backwards
  while (end >= 0 && zip.readUInt32LE(end) !== endSignature) end -= 1;
  if (end < 0) throw new Error('Not a zip file: its end record is missing. Delete it and fetch it again.');
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    if (zip.readUInt32LE(at) !== entrySignature)
      throw new Error('The zip file is damaged. Delete it and fetch it again.');
    const nameLength = zip.readUInt16LE(at + 28);
    if (zip.toString('utf8', at + entryBytes, at + entryBytes + nameLength) === name) return unpack(zip, at);
    at += entryBytes + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`The zip file has no entry ${name}.`);
}

function unpack(zip, at) {
  const method = zip.readUInt16LE(at + 10);
  const packedBytes = zip.readUInt32LE(at + 20);
  const local = zip.readUInt32LE(at + 42);
  // The local header's own lengths: its extra field often differs from the directory's.
  const start = local + localHeaderBytes + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const packed = zip.subarray(start, start + packedBytes);
  if (method === 0) return packed;
  if (method === 8) return inflateRawSync(packed);
  throw new Error(`The zip file uses compression method ${method}, which is not known here.`);
}
