// Fault plan 15: bodies that end in the middle of a quote, of a UTF-8 character and of gzip. When the connection breaks,
// the run fails and nothing is published. When the client says that this was all, the torn row is rejected and the rows
// before it count. Never is a torn row published, and no run says more than what consumers can read.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { DeadLetter, Run } from '#contracts';
import { company, fileOf } from '../harness/companies.js';
import { RawUpload } from '../harness/raw-request.js';
import { Stack, until } from '../harness/stack.js';

const WHOLE_ROWS = 20;

/** A file whose last row is `last`, and the place in its bytes where it is cut. */
function torn(mark: string, last: string, at: string, wholeRows = WHOLE_ROWS) {
  const rows = [...Array.from({ length: wholeRows }, (_, n) => company(n, mark)), last];
  const bytes = Buffer.from(fileOf(rows));
  return { bytes, cut: bytes.indexOf(at) + 1, rows: rows.length };
}

const MID_QUOTE = (mark: string, wholeRows?: number) =>
  torn(mark, company(99_999, `"${mark}, metade"`), ', metade', wholeRows);
// The first of the two bytes of a character.
const MID_CHARACTER = (mark: string) => torn(mark, company(99_999, `${mark} ç metade`), 'ç metade');

describe('bodies that end too early', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  const failed = new Set<string>();
  const publishedOf = async (mark: string) =>
    (await stack.rows()).filter((row) => String(row['cidade']).startsWith(mark)).map((row) => row['_row'] as number);

  /** Bytes of the bodies that are on their way: the spool's own files. */
  const spooledBytes = async () => {
    const spool = join(stack.stateDir, 'spool');
    const sizes = (await readdir(spool)).map(async (run) => (await stat(join(spool, run, 'body'))).size);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  };

  it.each([
    ['in a quote', MID_QUOTE('aspas'), 'aspas', false],
    ['in a character', MID_CHARACTER('letra'), 'letra', false],
    ['in gzip', MID_QUOTE('gzip', 20_000), 'gzip', true],
  ])(
    'publishes nothing of a body whose connection breaks %s',
    async (_, { bytes, cut, rows }, mark, gzip) => {
      const whole = gzip ? gzipSync(bytes) : bytes;
      const headers: Record<string, string | number> = { 'content-length': whole.length };
      if (gzip) headers['content-encoding'] = 'gzip';
      const upload = new RawUpload(`${stack.url}/v1/pipelines/empresas/uploads`, headers);
      await upload.write(whole.subarray(0, gzip ? whole.length >> 1 : cut));
      await until('the first part of the body', async () => (await spooledBytes()) >= (gzip ? 1 : cut));
      upload.cut();
      const run = await until('the failed run', async () => {
        const { body } = await stack.request('/v1/runs?limit=1&state=failed');
        const [last] = (body as unknown as { items: Run[] }).items;
        return last && !failed.has(last.id) ? last : null;
      });
      failed.add(run.id);
      expect(run).toMatchObject({ error: { code: 'body_incomplete', retriable: true }, rows: { published: 0 } });
      expect(await publishedOf(mark)).toEqual([]);
      // The same file, whole, is not known: it goes in.
      const again = await stack.upload(bytes);
      expect(again.body).toMatchObject({ state: 'completed', duplicate: false });
      expect(await publishedOf(mark)).toHaveLength(rows);
    },
    60_000,
  );

  it.each([
    ['in a quote', MID_QUOTE('aspas curtas'), 'aspas curtas', 'quote'],
    ['in a character', MID_CHARACTER('letra curta'), 'letra curta', 'encoding'],
  ])(
    'rejects the torn row of a body that ends %s',
    async (_, { bytes, cut }, mark, code) => {
      const run = await stack.upload(bytes.subarray(0, cut));
      expect(run.body).toMatchObject({
        state: 'completed',
        rows: { read: WHOLE_ROWS + 1, accepted: WHOLE_ROWS, rejected: 1, published: WHOLE_ROWS },
      });
      const rows = await publishedOf(mark);
      expect(rows.sort((a, b) => a - b)).toEqual(Array.from({ length: WHOLE_ROWS }, (_none, n) => n + 1));
      const letters = await stack.request(`/v1/runs/${run.body.id!}/dead-letters`);
      expect((letters.body as unknown as { items: DeadLetter[] }).items).toEqual([
        expect.objectContaining({ row: WHOLE_ROWS + 1, line: WHOLE_ROWS + 2, code }),
      ]);
    },
    60_000,
  );

  it('refuses gzip that ends too early, whatever its length says', async () => {
    const { bytes } = MID_QUOTE('gzip curto');
    const packed = gzipSync(bytes);
    const answer = await stack.upload(packed.subarray(0, packed.length - 9), {
      headers: { 'content-encoding': 'gzip' },
    });
    expect([answer.status, answer.body['code']]).toEqual([400, 'bad_gzip']);
    expect(await publishedOf('gzip curto')).toEqual([]);
  }, 60_000);
});
