// Ingest dies or is stopped in the middle of things, and comes back: every file that was taken goes on by itself, its rows
// and dead letters are there once, and what was not safe says so.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { UploadProgress } from '#contracts';
import { company, companies, fileOf, HEADER } from '../harness/companies.js';
import { RawUpload } from '../harness/raw-request.js';
import { Stack, until, type Service } from '../harness/stack.js';

const MANY = 200_000;
/** Four transactions: enough to be interrupted where a preloaded file slows commits down. */
const FEW = 50_000;
const SLOWLY = ['--import', './test/harness/slow-commits.mjs'];
const CITIES = 50;
const REJECTED_EVERY = 1_000;

describe('restarts of ingest', () => {
  let stack: Stack;
  let ingest: Service;
  beforeAll(async () => {
    stack = await Stack.start();
    ingest = stack.service('ingest');
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  /** A large file: every thousandth row is rejected. */
  const largeFile = (mark: string, count: number): string => {
    const lines = companies(count, CITIES, mark).trimEnd().split('\n');
    for (let n = REJECTED_EVERY; n < lines.length; n += REJECTED_EVERY) lines[n] = company(n, `${mark} mau`, -1);
    return `${lines.join('\n')}\n`;
  };
  const start = async (nodeArgs: string[] = []) => {
    ingest.start(nodeArgs);
    await ingest.ready();
  };
  /** What the publisher has committed of a run, as ingest itself would read it. */
  const progressOf = async (run: string): Promise<UploadProgress | null> => {
    const records = await stack.records(stack.topics().uploads);
    const value = records.findLast((record) => record.key?.toString() === run)?.value;
    return value ? (JSON.parse(value.toString()) as UploadProgress) : null;
  };
  /** Uploads a large file and resolves when some, but not all, of its rows are committed. */
  const publishing = async (mark: string, count: number): Promise<string> => {
    const { status, body } = await stack.upload(largeFile(mark, count), { query: '' });
    expect(status).toBe(202);
    await until('the first rows', async () => ((await progressOf(body.id!))?.published ?? 0) > 0);
    return body.id!;
  };
  const expectCut = async (run: string) => expect((await progressOf(run))?.ended).toBe(false);
  /** Every accepted row, every dead letter and every sum exactly once. */
  const expectExact = async (run: string, mark: string, count: number) => {
    const { body } = await stack.ended(run);
    const rejected = count / REJECTED_EVERY;
    const accepted = count - rejected;
    expect(body).toMatchObject({
      state: 'completed',
      rows: { read: count, accepted, rejected, published: accepted, late: 0 },
    });
    const rows = await rowNumbersOf(run);
    expect([rows.length, new Set(rows).size]).toEqual([accepted, accepted]);
    const letters = (await stack.records(stack.topics().deadLetter)).filter((record) => record.key?.toString() === run);
    expect(letters).toHaveLength(rejected);
    let total = 0;
    for (let n = 0; n < CITIES; n++) total += Number((await stack.hash(`${mark} ${n}`)).quantidade_empresas);
    expect(total).toBe(accepted);
    const items = (await stack.request(`/v1/runs/${run}/dead-letters?limit=1000`)).body as unknown as {
      items: object[];
    };
    expect(items.items).toHaveLength(rejected);
    expect(await readdir(join(stack.stateDir, 'spool'))).toEqual([]);
  };
  const rowNumbersOf = async (run: string): Promise<number[]> => {
    const numbers: number[] = [];
    for (const { key, value } of await stack.records(stack.topics().rows)) {
      if (key !== null && value!.includes(run)) numbers.push((JSON.parse(value!.toString()) as { _row: number })._row);
    }
    return numbers;
  };

  it('kill -9 while a body arrives: its run has failed and says to send it again', async () => {
    const upload = new RawUpload(`${stack.url}/v1/pipelines/empresas/uploads`, { 'content-length': 1_000 });
    await upload.write(`${HEADER}\n${company(1, 'meio')}\n`);
    await until('the spool', async () => (await readdir(join(stack.stateDir, 'spool'))).length === 1);
    const [run] = await readdir(join(stack.stateDir, 'spool'));
    // Recorded, but not shown: it may still prove known.
    expect((await stack.request(`/v1/runs/${run}`)).status).toBe(404);
    await ingest.kill();
    await start();
    const { body } = await stack.ended(run!);
    expect(body).toMatchObject({ state: 'failed', error: { code: 'body_incomplete', retriable: true } });
    expect(body.error!.message).toContain('send it again');
    await until('a swept spool', async () => (await readdir(join(stack.stateDir, 'spool'))).length === 0);
  }, 60_000);

  it('kill -9 while publishing: it goes on by itself, exactly', async () => {
    const run = await publishing('morto', MANY);
    await ingest.kill();
    await expectCut(run);
    await start(SLOWLY);
    // The same bytes find their run in progress.
    const again = await stack.upload(largeFile('morto', MANY), { query: '' });
    expect([again.status, again.body.id, again.body.duplicate]).toEqual([200, run, true]);
    await expectExact(run, 'morto', MANY);
  }, 120_000);

  it('SIGTERM while publishing and while a body arrives: stops within 10 s, nothing lost', async () => {
    const run = await publishing('parado', FEW);
    const waiting = stack.upload(fileOf([company(1, 'espera')]), { query: 'wait=300' });
    const arriving = new RawUpload(`${stack.url}/v1/pipelines/empresas/uploads`, { 'content-length': 1_000 });
    await arriving.write(`${HEADER}\n`);
    const queued = async () => (await stack.request('/v1/runs?state=queued')).text.includes('"queued"');
    await until('the second file to stand in line', queued);
    ingest.signal('SIGTERM');
    expect(await ingest.exited(10_000)).toBe(0);
    // A body that had not come whole has to come again; whoever waited is told where the run stands.
    expect((await arriving.answer).status).toBe(503);
    const second = await waiting;
    expect([second.status, second.body.state]).toEqual([202, 'queued']);
    await expectCut(run);
    await start();
    await expectExact(run, 'parado', FEW);
    expect((await stack.ended(second.body.id!)).body).toMatchObject({ state: 'completed', rows: { published: 1 } });
  }, 120_000);

  it('kill -9 right after the end of an upload was committed: completes, nothing twice', async () => {
    await ingest.kill();
    await start(['--import', './test/harness/kill-after-end.mjs']);
    const file = fileOf([company(1, 'fim'), company(2, 'fim')]);
    await stack.upload(file, { query: 'wait=60' }).catch(() => null);
    expect(await ingest.exited()).toBe('SIGKILL');
    await start();
    const again = await stack.upload(file, { query: 'wait=60' });
    expect(again.body).toMatchObject({ state: 'completed', duplicate: true, rows: { published: 2 } });
    expect((await stack.rows()).filter((row) => row.cidade === 'fim')).toHaveLength(2);
    expect(await stack.hash('fim')).toMatchObject({ quantidade_empresas: '2', _upload: again.body.id });
  }, 60_000);

  it('the spool vanishes while it is down: interrupted, later files go ahead, the same bytes resume it', async () => {
    await ingest.kill();
    await start(SLOWLY);
    const run = await publishing('sumiu', FEW);
    await ingest.kill();
    await expectCut(run);
    const spool = join(stack.stateDir, 'spool');
    for (const folder of await readdir(spool)) await rm(join(spool, folder), { recursive: true });
    await start();
    const stateOf = async () => (await stack.request(`/v1/runs/${run}`)).body.state;
    await until('the run to be interrupted', async () => (await stateOf()) === 'interrupted');
    const later = await stack.upload(fileOf([company(1, 'sumiu 0'), company(2, 'sumiu 0')]));
    expect(later.body).toMatchObject({ state: 'completed', rows: { published: 2 } });
    expect(await stateOf()).toBe('interrupted');
    // Twice at once: one of them resumes it.
    const [one, two] = await Promise.all(
      [0, 1].map(() => stack.upload(largeFile('sumiu', FEW), { query: 'wait=120' })),
    );
    expect([one!.body.id, two!.body.id]).toEqual([run, run]);
    expect([one!.status, two!.status]).toEqual([200, 200]);
    expect(one!.body.attempt).toBe(2);
    // It ended last, so it wins over the later file.
    await expectExact(run, 'sumiu', FEW);
  }, 120_000);
});
