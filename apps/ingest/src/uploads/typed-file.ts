// The typed file: what the gate makes of a spooled body, so that the publisher only copies bytes. One frame per
// record of the source, in its order: accepted rows ready for `rows`, rejected ones ready for `dead-letter`.
// It lies beside the spool, is never trusted after a restart (the gate makes it again), and goes with the spool.
import { open, type FileHandle } from 'node:fs/promises';

const REJECTED = 0xffff;
const HEAD_BYTES = 28;
const BUFFER_BYTES = 1 << 20;

export interface TypedFrame {
  /** 1-based record number in the source. */
  readonly row: number;
  /** Partition of `rows`; null for a rejected record. */
  readonly partition: number | null;
  /** Event time, epoch ms (0 for a rejected record). */
  readonly time: number;
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Frame: value bytes u32, key bytes u32, partition u16, 2 spare, row f64, time f64, key, value. */
export class TypedFileWriter {
  private buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  private at = 0;

  private constructor(private readonly file: FileHandle) {}

  static async create(path: string): Promise<TypedFileWriter> {
    return new TypedFileWriter(await open(path, 'w'));
  }

  accepted(partition: number, row: number, time: number, key: string, value: string): void {
    this.frame(partition, row, time, key, value);
  }

  rejected(row: number, deadLetterJson: string): void {
    this.frame(REJECTED, row, 0, '', deadLetterJson);
  }

  /** Bytes not yet handed to the file system; call {@link flush} when it is large. */
  get pendingBytes(): number {
    return this.at;
  }

  async flush(): Promise<void> {
    const { at } = this;
    this.at = 0;
    if (at > 0) await writeAll(this.file, this.buffer.subarray(0, at));
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.file.close();
    }
  }

  private frame(partition: number, row: number, time: number, key: string, value: string): void {
    // Three bytes a UTF-16 unit is UTF-8's worst case: one bound check instead of two length passes.
    this.room(HEAD_BYTES + 3 * (key.length + value.length));
    const { buffer, at } = this;
    const keyBytes = buffer.write(key, at + HEAD_BYTES);
    const valueBytes = buffer.write(value, at + HEAD_BYTES + keyBytes);
    buffer.writeUInt32LE(valueBytes, at);
    buffer.writeUInt32LE(keyBytes, at + 4);
    buffer.writeUInt16LE(partition, at + 8);
    buffer.writeDoubleLE(row, at + 12);
    buffer.writeDoubleLE(time, at + 20);
    this.at = at + HEAD_BYTES + keyBytes + valueBytes;
  }

  private room(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.at + bytes));
    this.buffer.copy(larger, 0, 0, this.at);
    this.buffer = larger;
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done);
    done += bytesWritten;
  }
}

/** The frames of a typed file in chunks of about 1 MiB, from record number `fromRow` on. */
export async function* readTypedFile(path: string, fromRow: number): AsyncGenerator<TypedFrame[]> {
  const file = await open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      // A fresh buffer each time: frames point into it and live until their transaction is sent.
      const chunk = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, frameBytes(rest)));
      rest.copy(chunk);
      const { bytesRead } = await file.read(chunk, rest.length, chunk.length - rest.length);
      const filled = chunk.subarray(0, rest.length + bytesRead);
      if (bytesRead === 0) {
        if (filled.length > 0) throw new Error(`typed file ${path} ends within a frame`);
        return;
      }
      const { frames, used } = decodeFrames(filled, fromRow);
      rest = filled.subarray(used);
      if (frames.length > 0) yield frames;
    }
  } finally {
    await file.close();
  }
}

/** Room for the frame that `bytes` begins with. */
function frameBytes(bytes: Buffer): number {
  if (bytes.length < HEAD_BYTES) return HEAD_BYTES;
  return HEAD_BYTES + bytes.readUInt32LE(0) + bytes.readUInt32LE(4);
}

function decodeFrames(bytes: Buffer, fromRow: number): { frames: TypedFrame[]; used: number } {
  const frames: TypedFrame[] = [];
  let at = 0;
  while (at + HEAD_BYTES <= bytes.length) {
    const valueBytes = bytes.readUInt32LE(at);
    const keyBytes = bytes.readUInt32LE(at + 4);
    const end = at + HEAD_BYTES + keyBytes + valueBytes;
    if (end > bytes.length) break;
    const row = bytes.readDoubleLE(at + 12);
    if (row >= fromRow) {
      const partition = bytes.readUInt16LE(at + 8);
      frames.push({
        row,
        partition: partition === REJECTED ? null : partition,
        time: bytes.readDoubleLE(at + 20),
        key: bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + keyBytes),
        value: bytes.subarray(at + HEAD_BYTES + keyBytes, end),
      });
    }
    at = end;
  }
  return { frames, used: at };
}
