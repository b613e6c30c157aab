// How much: every cap of the door is met once, and what is below it passes.
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { companies, company, fileOf, HEADER } from '../../harness/companies.js';
import { RawUpload } from '../../harness/raw-request.js';
import { sleep, until, type Stack } from '../../harness/stack.js';
import { bearer, expectProblem, LIMITS, UPLOADS } from './guarded.js';

export function capSpecs(stack: () => Stack): void {
  const gzip = { 'content-encoding': 'gzip' };
  const url = () => `${stack().url}${UPLOADS}`;

  it('5.2.1 bytes as sent, rows, columns and field bytes are capped', async () => {
    expectProblem(await stack().upload(companies(5_000, 3, 'x'.repeat(20))), 413, 'too_large');
    const long = Array.from({ length: LIMITS.rows + 1 }, (_, n) => company(n, 'longo'));
    const rows = await stack().upload(fileOf(long));
    expectProblem(rows, 422, 'checks_failed');
    expect(rows.body).toMatchObject({ failed_checks: ['max_rows'] });
    expect((await stack().upload(fileOf(long.slice(1)))).body).toMatchObject({ rows: { published: LIMITS.rows } });
    const columns = Array.from({ length: 1_001 }, (_, n) => `c${n}`).join(',');
    expectProblem(await stack().upload(`${HEADER},${columns}\n`, { query: '' }), 422, 'header_mismatch');
    const fields = [company(1, 'y'.repeat(64 * 1024 + 1)), ...long.slice(0, 20)];
    expect((await stack().upload(fileOf(fields))).body).toMatchObject({ rows: { rejected: 1, published: 20 } });
  }, 60_000);

  it('5.2.3 bytes without gzip are capped by what comes out, not by what it says', async () => {
    const bomb = gzipSync('\n'.repeat(50_000_000));
    expect(bomb.length).toBeLessThan(LIMITS.bodyBytes);
    expectProblem(await stack().upload(bomb, { headers: gzip }), 413, 'too_large');
    const several = Buffer.concat(Array.from({ length: 5 }, () => gzipSync('\n'.repeat(100_000))));
    expectProblem(await stack().upload(several, { headers: gzip }), 413, 'too_large');
  });

  it('5.2.2 what a body is called is no proof: zip archives are refused by their first bytes, binary junk by its header', async () => {
    const zip = Buffer.from('PK\u0003\u0004 and so on', 'latin1');
    for (const type of ['text/csv', 'application/octet-stream']) {
      const answer = await stack().upload(zip, { headers: { 'content-type': type } });
      expectProblem(answer, 415, 'zip_not_accepted');
      expect(answer.text).toContain('unpack it');
    }
    expectProblem(
      await stack().upload(zip, { headers: { 'content-type': 'application/zip' } }),
      415,
      'unsupported_media_type',
    );
    const form = new FormData();
    form.append('file', new Blob([zip]), 'dados.csv');
    expectProblem(await stack().request(UPLOADS, { method: 'POST', body: form }), 415, 'zip_not_accepted');
    expectProblem(await stack().upload(Buffer.from([0, 255, 254, 1, 10, 0]), { query: '' }), 422, 'header_mismatch');
  });

  it('5.2.4 a client has so many bodies at once and so many bytes a day; others are not touched', async () => {
    const open = Array.from({ length: LIMITS.clientBodies }, () => {
      const upload = new RawUpload(url(), { 'content-length': 5_000, ...bearer('busy') });
      void upload.write(`${HEADER}\n`);
      return upload;
    });
    const bodies = async () => /^caudal_bodies\{.*\} (\d+)$/m.exec((await stack().request('/metrics')).text)?.[1];
    await until('the bodies to be open', async () => (await bodies()) === String(LIMITS.clientBodies));
    const fourth = await stack().upload('x', { headers: bearer('busy') });
    expectProblem(fourth, 429, 'quota_exceeded');
    expect(Number(fourth.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await stack().upload(fileOf([company(2, 'outro')]))).status).toBe(200);
    for (const upload of open) upload.cut();

    const file = companies(2_000, 3, 'dia');
    let sent = 0;
    while (sent + file.length < LIMITS.clientBytesPerDay) {
      const answer = await stack().upload(file, { headers: bearer('heavy'), query: '' });
      expect([200, 202]).toContain(answer.status);
      sent += file.length;
    }
    const over = await stack().upload(file, { headers: bearer('heavy'), query: '' });
    expectProblem(over, 429, 'quota_exceeded');
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0);
  }, 60_000);

  it('2.4.1 a client has so many requests a minute, also to addresses that are not there', async () => {
    const get = (path: string) => stack().request(path, { headers: bearer('eager') });
    let last = await get('/v1/nothing');
    for (let n = 0; last.status === 404 && n <= LIMITS.requestsPerMinute; n++) last = await get('/v1/nothing');
    expectProblem(last, 429, 'too_many_requests');
    const seconds = Number(last.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect((await get('/health/live')).status).toBe(200);
    expect((await stack().request('/v1/runs')).status).toBe(200);
  }, 60_000);

  it('slow clients are answered 408, in a raw body and between the parts of a form; their runs say so', async () => {
    const raw = new RawUpload(url(), { 'content-length': 1_000, ...bearer('sender') });
    await raw.write(`${HEADER}\n`);
    const form = new RawUpload(url(), {
      'content-length': 1_000,
      'content-type': 'multipart/form-data; boundary=x',
      ...bearer('sender'),
    });
    await form.write('--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nslow');
    const drip = new RawUpload(url(), { 'content-length': 100_000, ...bearer('sender') });
    const dripping = new AbortController();
    void (async () => {
      while (!dripping.signal.aborted) {
        await drip.write('x');
        await sleep(100);
      }
    })();
    const answers = await Promise.all([raw.answer, form.answer, drip.answer]);
    dripping.abort();
    for (const upload of [raw, form, drip]) upload.cut();
    const bodies = answers.map(
      ({ status, text }) => [status, JSON.parse(text) as { code: string; run?: string }] as const,
    );
    expect(bodies.map(([status, { code }]) => [status, code])).toEqual(
      Array.from({ length: 3 }, () => [408, 'too_slow']),
    );
    const { body } = await stack().request(`/v1/runs/${bodies[0]![1].run}`);
    expect(body).toMatchObject({ state: 'failed', error: { code: 'too_slow', retriable: true } });
    expect(body.error!.message).toContain('send it again');
  }, 60_000);

  it('a full disk is answered 503 `disk_full`, at the first byte and in the middle; the spool is clean', async () => {
    const flag = join(stack().stateDir, 'disk-full');
    const file = fileOf([company(1, 'cheio'), company(2, 'cheio')]);
    const runs = async () => (await stack().request('/v1/runs?limit=1000')).text;
    const before = await runs();
    // Bodies of refused files are kept for a while.
    const spool = () => readdir(join(stack().stateDir, 'spool'));
    const kept = await spool();
    const half = new RawUpload(url(), { 'content-length': file.length, ...bearer('sender') });
    await half.write(file.slice(0, 80));
    await until('its spool', async () => (await spool()).length > kept.length);
    await writeFile(flag, '');
    try {
      await half.write(file.slice(80));
      const middle = await half.answer;
      expect([middle.status, JSON.parse(middle.text)]).toEqual([503, expect.objectContaining({ code: 'disk_full' })]);
      const first = await stack().upload(file, { query: '' });
      expectProblem(first, 503, 'disk_full');
      expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await spool()).filter((run) => !kept.includes(run))).toEqual([]);
    } finally {
      await rm(flag);
    }
    expect(await runs()).toBe(before);
    expect((await stack().upload(file)).body).toMatchObject({ state: 'completed', duplicate: false });
  }, 60_000);
}
