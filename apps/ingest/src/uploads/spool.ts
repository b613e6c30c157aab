// First station of a body: written to disk (fsync) and hashed while it arrives; readers may follow it as it grows.
// `<state dir>/spool/<run>/body` is the only thing of Caudal's that is not in Kafka or Redis.
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const READ_BYTES = 256 * 1024;

/** All spooled bodies of one ingest. */
export class Spool {
  private readonly bodies = new Map<string, SpooledBody>();
  /** Bytes of the bodies that only wait for a retry, the oldest first: they give way to new ones. */
  private readonly kept = new Map<string, number>();

  constructor(
    private readonly dir: string,
    private readonly maxBytes: number,
  ) {}

  /** `maxBytes`: of all bodies together; what is above is refused with code `spool_full`. */
  static async open(stateDir: string, maxBytes: number): Promise<Spool> {
    const dir = join(stateDir, 'spool');
    await mkdir(dir, { recursive: true });
    return new Spool(dir, maxBytes);
  }

  async create(run: string): Promise<SpooledBody> {
    await mkdir(this.folder(run), { recursive: true });
    const body = await SpooledBody.create(join(this.folder(run), 'body'), (bytes) => this.assertRoom(bytes));
    this.bodies.set(run, body);
    return body;
  }

  /** Bytes of all bodies kept now; what the gate makes of them is not counted. */
  get bytes(): number {
    let bytes = 0;
    for (const body of this.bodies.values()) bytes += body.bytes;
    for (const keptBytes of this.kept.values()) bytes += keptBytes;
    return bytes;
  }

  /** The whole body of a run from before a restart; null when it is gone. */
  async existing(run: string): Promise<SpooledBody | null> {
    const path = join(this.folder(run), 'body');
    const found = await stat(path).catch(() => null);
    if (!found) return null;
    const body = SpooledBody.whole(path, found.size);
    this.kept.delete(run);
    this.bodies.set(run, body);
    return body;
  }

  typedPath(run: string): string {
    return join(this.folder(run), 'typed');
  }

  /** Gives the body received under `from` to the run `to` (the same bytes sent again for an interrupted run). */
  async move(from: string, to: string): Promise<void> {
    await rm(this.folder(to), { recursive: true, force: true });
    await rename(this.folder(from), this.folder(to));
    this.bodies.delete(from);
    await syncFolder(this.dir);
  }

  /** The body stays for a retry; what was made of it goes. */
  async keepBody(run: string): Promise<void> {
    const body = this.bodies.get(run) ?? (await this.existing(run));
    this.bodies.delete(run);
    if (body) this.kept.set(run, body.bytes);
    await rm(this.typedPath(run), { force: true });
  }

  /** Whether only a retry would need it. */
  keeps(run: string): boolean {
    return this.kept.has(run);
  }

  /** Makes room: what was kept for a retry goes. */
  async dropKept(): Promise<void> {
    for (const run of this.kept.keys()) await this.remove(run);
  }

  async remove(run: string): Promise<void> {
    this.kept.delete(run);
    this.bodies.delete(run);
    await rm(this.folder(run), { recursive: true, force: true });
  }

  /** Runs that have something on disk: at start, what no run needs is swept. */
  async list(): Promise<string[]> {
    return readdir(this.dir);
  }

  private assertRoom(bytes: number): void {
    while (this.bytes + bytes > this.maxBytes) {
      const [oldest] = this.kept.keys();
      if (oldest === undefined) break;
      this.remove(oldest).catch(() => undefined);
    }
    if (this.bytes + bytes <= this.maxBytes) return;
    throw Object.assign(new Error(`the spool holds ${this.maxBytes} bytes at most`), { code: 'spool_full' });
  }

  private folder(run: string): string {
    return join(this.dir, run);
  }
}

/** One body: written by {@link receive}, read by {@link chunks} from its beginning, also while it grows. */
export class SpooledBody {
  private readonly events = new EventEmitter({ captureRejections: false }).setMaxListeners(0);
  private failure: Error | null = null;
  private whole = false;
  bytes = 0;

  private constructor(
    readonly path: string,
    private readonly assertRoom: (bytes: number) => void = () => undefined,
  ) {}

  static async create(path: string, assertRoom: (bytes: number) => void): Promise<SpooledBody> {
    const body = new SpooledBody(path, assertRoom);
    // Created before anyone reads: a reader may open it before the first write.
    await (await open(path, 'w')).close();
    return body;
  }

  static whole(path: string, bytes: number): SpooledBody {
    const body = new SpooledBody(path);
    body.bytes = bytes;
    body.whole = true;
    return body;
  }

  /** Writes all of `source`; answers its SHA-256 when everything is safely on disk. Readers see its errors too. */
  async receive(source: AsyncIterable<Buffer>): Promise<string> {
    const hash = createHash('sha256');
    const file = await open(this.path, 'r+');
    try {
      for await (const chunk of source) {
        this.assertRoom(chunk.length);
        hash.update(chunk);
        await writeChunk(file, chunk, this.bytes);
        this.bytes += chunk.length;
        this.events.emit('grown');
      }
      // The folders too: a file that no folder names after a power cut is not kept.
      await Promise.all([file.sync(), syncFolder(dirname(this.path)), syncFolder(dirname(dirname(this.path)))]);
      this.whole = true;
    } catch (error) {
      this.failure = error as Error;
      throw error;
    } finally {
      await file.close();
      this.events.emit('grown');
    }
    return hash.digest('hex');
  }

  /**
   * The bytes from the beginning; waits for more while the body grows.
   * `idle` wraps that waiting, so that a slow client holds no place in a line meanwhile.
   */
  async *chunks(idle: (wait: () => Promise<void>) => Promise<void> = (wait) => wait()): AsyncGenerator<Buffer> {
    const file = await open(this.path, 'r');
    let at = 0;
    try {
      for (;;) {
        while (at >= this.bytes && !this.whole && !this.failure) await idle(() => this.grownBeyond(at));
        if (this.failure) throw this.failure;
        if (at >= this.bytes) return;
        const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, this.bytes - at));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) throw new Error(`spool file ${this.path} is shorter than what was written to it`);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  private async grownBeyond(at: number): Promise<void> {
    // Looked at again: `idle` may have waited for something else before it came here.
    if (at >= this.bytes && !this.whole && !this.failure) await once(this.events, 'grown');
  }
}

async function writeChunk(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < chunk.length) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
