import { createHash } from 'node:crypto';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Spool } from './spool.js';

describe('spool', () => {
  let dir: string;
  let spool: Spool;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-spool-'));
    spool = await Spool.open(dir, 1_000_000);
  });
  afterEach(() => rm(dir, { recursive: true }));

  /** A source whose pieces the test lets come. */
  function source() {
    const pieces: Buffer[] = [];
    let ended: Error | null | undefined;
    let wake = (): void => undefined;
    const push = (text: string) => {
      pieces.push(Buffer.from(text));
      wake();
    };
    const end = (error: Error | null = null) => {
      ended = error;
      wake();
    };
    async function* bytes(): AsyncGenerator<Buffer> {
      for (;;) {
        const piece = pieces.shift();
        if (piece) yield piece;
        else if (ended) throw ended;
        else if (ended === null) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    }
    return { push, end, bytes: bytes() };
  }
  const textOf = async (chunks: AsyncIterable<Buffer>): Promise<string> => {
    let text = '';
    for await (const chunk of chunks) text += chunk.toString();
    return text;
  };

  it('keeps a body and its hash; readers follow it while it grows', async () => {
    const body = await spool.create('run');
    const { push, end, bytes } = source();
    const received = body.receive(bytes);
    const chunks = body.chunks();
    push('first ');
    expect((await chunks.next()).value?.toString()).toBe('first ');
    const rest = textOf(chunks);
    push('second ');
    push('third');
    end();
    expect(await received).toBe(createHash('sha256').update('first second third').digest('hex'));
    expect(await rest).toBe('second third');
    expect([body.bytes, spool.bytes]).toEqual([18, 18]);
    expect(await textOf((await spool.existing('run'))!.chunks())).toBe('first second third');
  });

  it('gives the failure of a body to those who write and those who read it', async () => {
    const body = await spool.create('run');
    const { push, end, bytes } = source();
    const received = body.receive(bytes);
    const reading = textOf(body.chunks());
    push('half');
    end(new Error('cut off'));
    // Both at once: which of them fails first is open.
    await Promise.all([received, reading].map((one) => expect(one).rejects.toThrow('cut off')));
  });

  it('waits for more through `idle`, and only then', async () => {
    const body = await spool.create('run');
    const { push, end, bytes } = source();
    push('all');
    end();
    await body.receive(bytes);
    let waits = 0;
    const idle = async (wait: () => Promise<void>) => {
      waits++;
      await wait();
    };
    expect([await textOf(body.chunks(idle)), waits]).toEqual(['all', 0]);
  });

  it('says so when the file on disk is shorter than what was written', async () => {
    const body = await spool.create('run');
    const { push, end, bytes } = source();
    push('everything');
    end();
    await body.receive(bytes);
    await truncate(body.path, 0);
    await expect(textOf(body.chunks())).rejects.toThrow('shorter');
  });

  it('lists, moves, removes; a body that is not there is null', async () => {
    await (await spool.create('a')).receive(one('bytes of a'));
    await writeFile(spool.typedPath('a'), 'x');
    await spool.create('b');
    expect((await spool.list()).sort()).toEqual(['a', 'b']);
    await spool.move('a', 'b');
    expect(await spool.list()).toEqual(['b']);
    expect(await textOf((await spool.existing('b'))!.chunks())).toBe('bytes of a');
    expect(spool.bytes).toBe(10);
    expect(await spool.existing('a')).toBeNull();
    await spool.remove('b');
    await spool.remove('never');
    expect([await spool.list(), spool.bytes]).toEqual([[], 0]);
  });

  it('holds no more bytes than it may, all bodies together, and has room again when one goes', async () => {
    const small = await Spool.open(dir, 10);
    await (await small.create('one')).receive(one('123456'));
    await expect((await small.create('two')).receive(one('12345'))).rejects.toMatchObject({ code: 'spool_full' });
    await small.remove('one');
    await small.remove('two');
    await (await small.create('three')).receive(one('1234567890'));
    expect(small.bytes).toBe(10);
  });
});

async function* one(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
