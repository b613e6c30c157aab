// Taking the Redis binary out of a jar: against archives built here byte by byte.
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { readZipEntry } from '../../scripts/zip.mjs';

interface Entry {
  name: string;
  content: Buffer;
  method: 0 | 8;
}

/** A zip as archivers write it: extra fields of different length in the local header and in the directory. */
function zipOf(entries: Entry[], comment = ''): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, method } of entries) {
    const packed = method === 8 ? deflateRawSync(content) : content;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    local.writeUInt16LE(4, 28);
    const written = Buffer.concat([local, Buffer.from(name), Buffer.alloc(4), packed]);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt16LE(7, 30);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, Buffer.from(name), Buffer.alloc(7));
    locals.push(written);
    offset += written.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...locals, ...directory, end, Buffer.from(comment)]);
}

describe('readZipEntry', () => {
  it('gives back every entry of any archive, stored or deflated', () => {
    const entry = fc.record({
      name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      content: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
      method: fc.constantFrom<0 | 8>(0, 8),
    });
    const archive = fc.uniqueArray(entry, { selector: ({ name }) => name, minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(archive, (entries) => {
        const zip = zipOf(entries, 'a comment at the end');
        for (const { name, content } of entries) expect(readZipEntry(zip, name).equals(content)).toBe(true);
      }),
    );
  });

  it('says what is wrong with a file that is no zip, is cut, or lacks the entry', () => {
    const zip = zipOf([{ name: 'a', content: Buffer.from('x'), method: 0 }]);
    expect(() => readZipEntry(Buffer.from('<html>not found</html>'), 'a')).toThrow('Not a zip file');
    expect(() => readZipEntry(zip.subarray(0, -10), 'a')).toThrow('Not a zip file');
    expect(() => readZipEntry(zip, 'b')).toThrow('no entry b');
  });
});
