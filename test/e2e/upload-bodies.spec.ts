// The front door: what a body may be, and what each bad one is answered. Good files are read back; bad ones leave nothing.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { company, companies, fileOf, HEADER } from '../harness/companies.js';
import { RawUpload } from '../harness/raw-request.js';
import { Stack, until, type HttpAnswer } from '../harness/stack.js';

const MAX_BODY = 200_000;
const MAX_FILE = 400_000;
const UPLOADS = '/v1/pipelines/empresas/uploads';

describe('bodies at the front door', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({
      env: { CAUDAL_MAX_BODY_BYTES: String(MAX_BODY), CAUDAL_MAX_UNCOMPRESSED_BYTES: String(MAX_FILE) },
    });
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex');
  const runIds = async (): Promise<string[]> => {
    const { body } = await stack.request('/v1/runs?limit=1000');
    return (body as unknown as { items: { id: string }[] }).items.map((run) => run.id);
  };
  const form = (...parts: [string, string | Blob, string?][]): FormData => {
    const data = new FormData();
    for (const [name, value, file] of parts) {
      if (file === undefined) data.append(name, value as string);
      else data.append(name, new Blob([value]), file);
    }
    return data;
  };
  const post = (query: string, init: RequestInit) => stack.request(`${UPLOADS}?${query}`, { method: 'POST', ...init });
  const expectProblem = (answer: HttpAnswer, status: number, code: string) => {
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect([answer.status, answer.body]).toEqual([status, expect.objectContaining({ status, code })]);
  };
  /** Runs `bad`, which must leave no run that anybody can see. */
  const leavesNoRun = async (bad: () => Promise<void>) => {
    const before = await runIds();
    await bad();
    expect(await runIds()).toEqual(before);
  };

  it('takes text/csv with a charset and application/octet-stream', async () => {
    const file = fileOf([company(1, 'raw')]);
    const answer = await stack.upload(file, { headers: { 'content-type': 'Text/CSV; charset=utf-8' } });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ state: 'completed', sha256: sha256(file), file_name: null });
    expect(answer.body.bytes).toBe(Buffer.byteLength(file));
    const other = await stack.upload(fileOf([company(2, 'raw')]), {
      headers: { 'content-type': 'application/octet-stream' },
    });
    expect(other.status).toBe(200);
  }, 60_000);

  it('takes gzip off: hash and size are of the file', async () => {
    const file = companies(5_000, 10, 'gz');
    const sent = gzipSync(file);
    expect(sent.length).toBeLessThan(MAX_BODY);
    const answer = await stack.upload(sent, { headers: { 'content-encoding': 'gzip' } });
    expect(answer.body).toMatchObject({ state: 'completed', sha256: sha256(file), bytes: Buffer.byteLength(file) });
    // The same file without gzip is the same file.
    const cut = Buffer.from(companies(3_000, 10, 'gz'));
    const plain = await stack.upload(gzipSync(cut), { headers: { 'content-encoding': 'gzip' } });
    const again = await stack.upload(cut);
    expect(again.body).toMatchObject({ id: plain.body.id, duplicate: true });
  }, 60_000);

  it('takes a multipart form: the file field, its name, fields before and after; gzip inside it too', async () => {
    const file = fileOf([company(3, 'form')]);
    const plain = await post('wait=60', {
      body: form(['note', 'x'], ['file', file, 'minhas empresas.csv'], ['more', 'y']),
    });
    expect(plain.status).toBe(200);
    expect(plain.body).toMatchObject({ state: 'completed', file_name: 'minhas empresas.csv', sha256: sha256(file) });
    const packed = fileOf([company(4, 'form')]);
    const gzip = await post('wait=60', {
      headers: { 'content-encoding': 'gzip' },
      body: form(['file', new Blob([gzipSync(packed)]), 'a.csv.gz']),
    });
    expect(gzip.body).toMatchObject({ state: 'completed', sha256: sha256(packed) });
  }, 60_000);

  it(
    'refuses forms without the field, with two files, with an empty one',
    () =>
      leavesNoRun(async () => {
        const file = fileOf([company(5)]);
        expectProblem(await post('', { body: form(['note', 'x']) }), 400, 'no_file');
        expectProblem(await post('', { body: form(['other', file, 'a.csv']) }), 400, 'no_file');
        expectProblem(await post('', { body: form(['file', file]) }), 400, 'no_file');
        const two = form(['file', file, 'a.csv'], ['file', fileOf([company(6)]), 'b.csv']);
        expectProblem(await post('', { body: two }), 400, 'too_many_files');
        expectProblem(await post('', { body: form(['file', '', 'a.csv']) }), 400, 'empty_body');
        const boundless = await post('', { headers: { 'content-type': 'multipart/form-data' }, body: 'x' });
        expectProblem(boundless, 400, 'bad_multipart');
        expect((await stack.rows()).filter((row) => row.cidade === 'Recife')).toEqual([]);
      }),
    60_000,
  );

  it(
    'refuses other content types and names the header to send',
    () =>
      leavesNoRun(async () => {
        for (const type of ['application/x-www-form-urlencoded', 'application/json', 'text/plain', 'nonsense']) {
          const answer = await stack.upload(fileOf([company(7)]), { headers: { 'content-type': type } });
          expectProblem(answer, 415, 'unsupported_media_type');
          expect(answer.text).toContain('Content-Type: text/csv');
        }
        const none = await post('', { body: new Blob([fileOf([company(7)])]) });
        expectProblem(none, 415, 'unsupported_media_type');
        const br = await stack.upload('x', { headers: { 'content-encoding': 'br' } });
        expectProblem(br, 415, 'unsupported_encoding');
      }),
    60_000,
  );

  it('refuses 0 bytes without a run, also inside gzip', () =>
    leavesNoRun(async () => {
      expectProblem(await stack.upload(''), 400, 'empty_body');
      const packed = await stack.upload(gzipSync(''), { headers: { 'content-encoding': 'gzip' } });
      expectProblem(packed, 400, 'empty_body');
    }));

  it('completes a file of a header alone', async () => {
    const answer = await stack.upload(`${HEADER}\n`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      state: 'completed',
      rows: { read: 0, accepted: 0, rejected: 0, published: 0 },
    });
  }, 60_000);

  it('refuses a wrong header and binary junk with the names of the failed checks; nothing is published', async () => {
    const before = await stack.rows();
    const wrong = await stack.upload('cnpj,cidade\n1,Recife\n', { query: '' });
    expectProblem(wrong, 422, 'header_mismatch');
    expect(wrong.body).toMatchObject({ failed_checks: ['header'], run: expect.any(String) });
    const { body: run } = await stack.request(`/v1/runs/${wrong.body.run}`);
    expect(run).toMatchObject({
      state: 'rejected',
      rows: { read: 0, published: 0 },
      error: { code: 'header_mismatch' },
    });
    expect(run.checks).toEqual([expect.objectContaining({ name: 'header', verdict: 'fail' })]);
    const junk = Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * 7919) % 256));
    expectProblem(await stack.upload(junk, { query: '' }), 422, 'header_mismatch');
    const poisoned = await stack.upload(fileOf([company(8), company(9, 'Recife', -1)]), { query: '' });
    expectProblem(poisoned, 422, 'checks_failed');
    expect(poisoned.body).toMatchObject({ failed_checks: ['max_error_fraction'] });
    expect(await stack.rows()).toHaveLength(before.length);
  }, 60_000);

  it(
    'answers 404 for what is unknown and 400 for bad or repeated query parameters',
    () =>
      leavesNoRun(async () => {
        expectProblem(await stack.upload('x', { pipeline: 'nada' }), 404, 'unknown_pipeline');
        expectProblem(await stack.request('/v1/nada'), 404, 'not_found');
        for (const query of [
          'wait=-1',
          'wait=301',
          'wait=1.5',
          'wait=',
          'wait=1&wait=1',
          'save_to_db=yes',
          'again=yes',
          'x=1',
        ]) {
          expectProblem(await stack.upload(fileOf([company(10)]), { query }), 400, 'bad_query');
        }
      }),
    60_000,
  );

  it(
    'refuses what is too large on either side of gzip, and never shows its run',
    () =>
      leavesNoRun(async () => {
        const large = companies(20_000, 3, 'large');
        // With a length it is refused before a byte is read, without one as soon as the limit is passed.
        expectProblem(await stack.upload(large), 413, 'too_large');
        const chunked = new RawUpload(`${stack.url}${UPLOADS}`);
        for (let at = 0; at < large.length; at += 50_000) await chunked.write(large.slice(at, at + 50_000));
        chunked.end();
        const answer = await chunked.answer;
        expect([answer.status, JSON.parse(answer.text)]).toEqual([413, expect.objectContaining({ code: 'too_large' })]);
        const bomb = gzipSync(large);
        expect(bomb.length).toBeLessThan(MAX_BODY);
        expectProblem(await stack.upload(bomb, { headers: { 'content-encoding': 'gzip' } }), 413, 'too_large');
        expectProblem(await post('', { body: form(['file', large, 'large.csv']) }), 413, 'too_large');
      }),
    60_000,
  );

  it('refuses broken gzip, at its first byte and in the middle', async () => {
    const before = await stack.rows();
    const garbage = await stack.upload('not gzip at all', { headers: { 'content-encoding': 'gzip' } });
    expectProblem(garbage, 400, 'bad_gzip');
    const whole = gzipSync(companies(5_000, 4_000, 'cut gz'));
    const half = await stack.upload(whole.subarray(0, whole.length >> 1), { headers: { 'content-encoding': 'gzip' } });
    expectProblem(half, 400, 'bad_gzip');
    const { body: run } = await stack.request(`/v1/runs/${half.body.run}`);
    expect(run).toMatchObject({ state: 'failed', rows: { published: 0 }, error: { code: 'bad_gzip' } });
    expect(await stack.rows()).toHaveLength(before.length);
  }, 60_000);

  it('fails the run of a body that its client cut off; nothing is published and the file may come again', async () => {
    const file = fileOf([company(11, 'cut'), company(12, 'cut')]);
    for (const cutAt of [HEADER.length + 20, file.length - 10]) {
      const before = await runIds();
      const upload = new RawUpload(`${stack.url}${UPLOADS}`, { 'content-length': Buffer.byteLength(file) });
      await upload.write(file.slice(0, cutAt));
      await new Promise((resolve) => setTimeout(resolve, 100));
      upload.cut();
      const [id] = await until('the run of the cut body', async () => {
        const now = await runIds();
        return now.length > before.length ? now : null;
      });
      const { body: run } = await stack.ended(id!);
      expect(run).toMatchObject({ state: 'failed', error: { code: 'body_incomplete', retriable: true } });
    }
    expect((await stack.rows()).filter((row) => row.cidade === 'cut')).toEqual([]);
    const whole = await stack.upload(file);
    expect(whole.body).toMatchObject({ state: 'completed', duplicate: false, rows: { published: 2 } });
  }, 60_000);

  it('receives 512 bodies at once and turns the next one away', async () => {
    const open = Array.from({ length: 512 }, () => new RawUpload(`${stack.url}${UPLOADS}`, { 'content-length': 500 }));
    try {
      const bodies = async () =>
        Number(/^caudal_bodies\{.*\} (\d+)$/m.exec((await stack.request('/metrics')).text)?.[1]);
      await until('512 bodies', async () => (await bodies()) === 512);
      const next = await stack.upload(fileOf([company(13)]));
      expectProblem(next, 503, 'too_many_uploads');
      expect(Number(next.headers.get('retry-after'))).toBeGreaterThan(0);
      for (const upload of open) upload.cut();
      await until('no bodies', async () => (await bodies()) === 0);
      expect((await stack.upload(fileOf([company(13)]))).status).toBe(200);
    } finally {
      for (const upload of open) upload.cut();
    }
  }, 60_000);

  it('200 slow clients do not stop a quick one', async () => {
    const spooled = async () => (await readdir(join(stack.stateDir, 'spool'))).length;
    const kept = await spooled();
    const slow = Array.from(
      { length: 200 },
      () => new RawUpload(`${stack.url}${UPLOADS}`, { 'content-length': 5_000 }),
    );
    const done = new AbortController();
    try {
      const dripping = slow.map(async (upload, n) => {
        await upload.write(`${HEADER}\n${company(n, 'devagar')}\n`);
        while (!done.signal.aborted) {
          await new Promise((resolve) => setTimeout(resolve, 200));
          await Promise.race([upload.write(' '), once(done.signal, 'abort')]);
        }
      });
      // Bodies of refused files are kept for a while.
      await until('200 bodies on their way', async () => (await spooled()) === kept + slow.length);
      for (let n = 0; n < 5; n++) {
        const quick = await stack.upload(fileOf([company(n, 'depressa')]));
        expect(quick.body).toMatchObject({ state: 'completed', rows: { published: 1 } });
      }
      // All the while they were there.
      expect(await spooled()).toBe(kept + slow.length);
      done.abort();
      await Promise.all(dripping);
    } finally {
      done.abort();
      for (const upload of slow) upload.cut();
    }
  }, 60_000);
});
