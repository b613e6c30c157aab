import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePipelineFile, type DeadLetter, type Dialect } from '#contracts';
import { gate } from './gate.js';
import { readTypedFile } from './typed-file.js';

const pipeline = parsePipelineFile(readFileSync('pipelines/empresas.yaml', 'utf8'), 'empresas.yaml');
const HEADER = 'cnpj,data_abertura,cidade,estado,capital_social';
const good = (n: number, city = 'Recife') => `${n},2023-01-01T00:00:00Z,${city},PE,1.50`;

describe('gate', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-gate-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  const pass = async (
    source: AsyncGenerator<Buffer>,
    stop = new AbortController().signal,
    { maxRows = 1_000_000, dialect = null }: { maxRows?: number; dialect?: Dialect | null } = {},
  ) => {
    const typedPath = join(dir, 'typed');
    const result = await gate({
      pipeline,
      run: 'RUN',
      createdAtMs: Date.UTC(2024, 0),
      partitions: 4,
      maxRows,
      source,
      dialect,
      typedPath,
      runDate: '2024-01-01',
      stop,
    });
    const frames = [];
    for await (const chunk of readTypedFile(typedPath, 1)) frames.push(...chunk);
    return { result, frames };
  };
  async function* of(...pieces: (string | Buffer)[]): AsyncGenerator<Buffer> {
    for (const piece of pieces) yield Buffer.from(piece);
  }

  it('refuses a file with more records than are allowed, and reads no further', async () => {
    let asked = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from(`${HEADER}\n`);
      for (; ; asked++) yield Buffer.from(`${good(asked)}\n`);
    }
    const { result } = await pass(endless(), undefined, { maxRows: 10 });
    expect(result.rows).toEqual({ read: 10, accepted: 10, rejected: 0 });
    expect(result.refused).toMatchObject({ code: 'checks_failed', message: expect.stringContaining('max_rows') });
    expect(asked).toBeLessThan(100_000);
    const exact = await pass(of(`${HEADER}\n${good(1)}\n${good(2)}\n`), undefined, { maxRows: 2 });
    expect(exact.result.refused).toBeNull();
  });

  it('types good rows and keeps rejected ones, in the order of the file', async () => {
    const { result, frames } = await pass(
      of(`${HEADER}\n`, ...Array.from({ length: 19 }, (_, n) => `${good(n)}\n`), 'x,y\n'),
    );
    expect(result.rows).toEqual({ read: 20, accepted: 19, rejected: 1 });
    expect(result.refused).toBeNull();
    expect(result.checks.map((check) => [check.name, check.verdict])).toEqual([
      ['header', 'pass'],
      ['max_error_fraction', 'pass'],
    ]);
    expect(frames.map((frame) => frame.row)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(frames[0]!.key.toString()).toBe('Recife');
    expect(frames[0]!.time).toBe(Date.UTC(2023, 0));
    expect(JSON.parse(frames[0]!.value.toString())).toMatchObject({ capital_social: '1.5', _upload: 'RUN', _row: 1 });
    const letter = JSON.parse(frames[19]!.value.toString()) as DeadLetter;
    expect(frames[19]!.partition).toBeNull();
    expect(letter).toMatchObject({ upload: 'RUN', row: 20, line: 21, column: null, code: 'ragged', raw: 'x,y' });
  });

  it('puts equal keys into one partition, and all partitions are those that exist', async () => {
    const cities = Array.from({ length: 40 }, (_, n) => good(n, `cidade ${n % 20}`));
    const { frames } = await pass(of(`${HEADER}\n${cities.join('\n')}`));
    const places = new Map(frames.map((frame) => [frame.key.toString(), frame.partition]));
    for (const frame of frames) expect(frame.partition).toBe(places.get(frame.key.toString()));
    expect(new Set(places.values())).toEqual(new Set([0, 1, 2, 3]));
  });

  it('says how the file is written, and reads it so again', async () => {
    const file = `${HEADER}\n${good(1)}\n`.replaceAll(',', ';').replace('1.50', '1,50');
    const { result } = await pass(of(file));
    expect(result.rows).toEqual({ read: 1, accepted: 1, rejected: 0 });
    expect(result.dialect).toEqual({ encoding: 'utf-8', bomBytes: 0, delimiter: ';', decimalMark: ',' });
    const again = await pass(of(file), undefined, { dialect: { ...result.dialect!, decimalMark: '.' } });
    expect(again.result.rows).toEqual({ read: 1, accepted: 0, rejected: 1 });
    const other = await pass(of(file), undefined, { dialect: { ...result.dialect!, delimiter: '|' } });
    expect(other.result.refused!.message).toContain('the file was read as utf-8 with the delimiter "|"');
  });

  it('allows max_error_fraction exactly, refuses what is above', async () => {
    const rows = (bad: number) => [...Array.from({ length: 10 - bad }, (_, n) => good(n)), ...Array(bad).fill('x')];
    expect((await pass(of([HEADER, ...rows(1)].join('\n')))).result.refused).toBeNull();
    const { result } = await pass(of([HEADER, ...rows(2)].join('\n')));
    expect(result.refused).toMatchObject({ code: 'checks_failed', retriable: false });
    expect(result.rows).toEqual({ read: 10, accepted: 8, rejected: 2 });
    expect(result.checks[1]).toMatchObject({ verdict: 'fail', observed: 0.2, expected: 0.1 });
  });

  it('takes a header alone for a file of no rows', async () => {
    const { result, frames } = await pass(of(HEADER));
    expect([result.refused, result.rows, frames]).toEqual([null, { read: 0, accepted: 0, rejected: 0 }, []]);
  });

  it.each([
    ['a missing column', 'cnpj,cidade\n1,x\n'],
    ['no text at all', Buffer.from([0, 1, 2, 0xff, 0xfe, 10, 0, 0])],
    ['line breaks alone', '\n\n'],
  ])('refuses %s, and lets go of the source', async (_what, bytes) => {
    let closed = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        yield* of(bytes, ...Array.from({ length: 5 }, () => 'more '.repeat(20_000)));
      } finally {
        closed = true;
      }
    }
    const { result } = await pass(source());
    expect(result.refused).toMatchObject({ code: 'header_mismatch' });
    expect(result.checks).toEqual([expect.objectContaining({ name: 'header', verdict: 'fail' })]);
    expect([result.rows.read, closed]).toEqual([0, true]);
  });

  it('throws what the source throws', async () => {
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from(`${HEADER}\n${good(1)}\n`);
      throw new Error('cut off');
    }
    await expect(pass(source())).rejects.toThrow('cut off');
  });

  it('ends when the service stops', async () => {
    const stop = new AbortController();
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from(`${HEADER}\n`);
      stop.abort();
      for (;;) yield Buffer.from(`${good(1)}\n`.repeat(5_000));
    }
    await expect(pass(source(), stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });
});
