// Runs from outside while they go and after: events, notices, pages over ten thousand, pipelines, and their going.
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeTime } from 'ulid';
import { sharedTopics, type Run } from '#contracts';
import { pipelinesIn, salesFile, salesPipeline } from '../harness/sales.js';
import { Stack, until, type Service } from '../harness/stack.js';

const SECRET = 'dezesseis-caracteres-ou-mais';
const PAST = 10_000;
const SLOWLY = ['--import', './test/harness/slow-commits.mjs'];

interface Event {
  event: string;
  id: string | null;
  data: Record<string, unknown>;
}

function parseEvents(text: string): Event[] {
  const blocks = text.split('\n\n').filter((block) => block.startsWith('event: '));
  return blocks.map((block) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? null;
    return { event: field('event')!, id: field('id'), data: JSON.parse(field('data')!) as Record<string, unknown> };
  });
}

describe('runs, watched', () => {
  let dir: string;
  let stack: Stack;
  let ingest: Service;
  let hook: Server;
  let notices: { headers: Record<string, unknown>; body: string }[];
  let isHookOpen = true;
  beforeAll(async () => {
    notices = [];
    hook = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        if (!isHookOpen) return void response.writeHead(503).end();
        notices.push({ headers: request.headers, body });
        response.writeHead(200).end();
      });
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
    dir = await mkdtemp(join(tmpdir(), 'caudal-watched-'));
    const pipelinesDir = await pipelinesIn(dir, {
      vendas: salesPipeline('vendas'),
      avisos: salesPipeline('avisos', `notify: { url: "${url}", on: [completed, rejected] }`),
      curtas: salesPipeline('curtas', 'retention: { runs: 1s }'),
    });
    const env = { CAUDAL_NOTIFY_SECRET: SECRET };
    stack = await Stack.start({ pipelinesDir, env, nodeArgs: { ingest: SLOWLY } });
    ingest = stack.service('ingest');
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    hook?.closeAllConnections();
    hook?.close();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const events = async (run: string, headers: Record<string, string> = {}) => {
    const answer = await stack.request(`/v1/runs/${run}/events`, { headers });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    return parseEvents(answer.text);
  };
  const page = async (query: string) => {
    const { status, body } = await stack.request(`/v1/runs?${query}`);
    expect(status).toBe(200);
    return body as unknown as { items: Run[]; next_cursor: string | null };
  };

  it('tells steps, progress and log lines of a run as it goes, then its end', async () => {
    const rows = 50_000;
    const file = salesFile(...Array.from({ length: rows }, (_, n) => `cidade ${n % 9},1`));
    const { body } = await stack.upload(file, { pipeline: 'vendas', query: '' });
    const seen = await events(body.id!);
    expect(seen[0]).toMatchObject({ event: 'run', data: { id: body.id } });
    expect(seen.at(-2)).toMatchObject({ event: 'run', data: { id: body.id, state: 'completed' } });
    expect(seen.at(-1)).toMatchObject({ event: 'end', data: { state: 'completed' } });
    expect(JSON.stringify(seen)).not.toContain('pipeline_text');
    const done = seen
      .filter(({ event, data }) => event === 'step' && data.state === 'done')
      .map(({ data }) => data.name);
    expect(new Set(done)).toEqual(new Set(['check_redis', 'receive', 'check', 'publish', 'aggregate', 'write']));
    const progress = seen.filter(({ event }) => event === 'progress').map(({ data }) => data);
    const publishing = progress.filter(({ state }) => state === 'publishing');
    expect(publishing.length).toBeGreaterThan(1);
    const published = publishing.map((one) => one.rows as number);
    expect(published).toEqual([...published].sort((a, b) => a - b));
    for (const one of publishing)
      expect(one).toMatchObject({ bytes: file.length, rows_total: rows, share: (one.rows as number) / rows });
    expect(publishing.some((one) => (one.rows_per_second as number) > 0)).toBe(true);
    expect(progress.at(-1)).toMatchObject({ state: 'completed', rows, share: 1 });
    const lines = seen.filter(({ event }) => event === 'log');
    expect(lines.map(({ data }) => data.message)).toEqual(
      expect.arrayContaining(['run is publishing', 'run is completed']),
    );
    // An ended run: what is kept, then the end. Lines that were seen are not told again.
    const later = await events(body.id!);
    expect(later.filter(({ event }) => event === 'step')).toHaveLength(6);
    expect(later.at(-1)!.event).toBe('end');
    const rest = await events(body.id!, { 'last-event-id': lines.at(-2)!.id! });
    expect(rest.filter(({ event }) => event === 'log')).toHaveLength(1);
    expect((await stack.request(`/v1/runs/${'0'.repeat(26)}/events`)).status).toBe(404);
    expect((await stack.request(`/v1/runs/${body.id}/events?x=1`)).status).toBe(400);
  }, 90_000);

  it('stops with watchers', async () => {
    const { body } = await stack.upload(salesFile(...Array.from({ length: 50_000 }, (_, n) => `fim ${n % 9},2`)), {
      pipeline: 'vendas',
      query: '',
    });
    const watched = stack.request(`/v1/runs/${body.id}/events`);
    await until('publishing', async () => (await stack.request(`/v1/runs/${body.id}`)).body.state === 'publishing');
    ingest.signal('SIGTERM');
    expect(await ingest.exited(10_000)).toBe(0);
    expect((await watched).text).toContain('event: run');
    ingest.start();
    await ingest.ready();
    expect((await stack.ended(body.id!)).body).toMatchObject({ state: 'completed' });
    expect((await events(body.id!)).at(-1)!.event).toBe('end');
  }, 90_000);

  it('tells whoever is to be notified, signed; what is owed outlives a kill', async () => {
    const { body } = await stack.upload(salesFile('aviso,1'), { pipeline: 'avisos', query: 'wait=60' });
    await until('the notice', () => notices.length === 1);
    const [{ headers, body: text }] = notices as [(typeof notices)[0]];
    expect(JSON.parse(text)).toMatchObject({
      event: 'run.completed',
      pipeline: 'avisos',
      run: { id: body.id, state: 'completed' },
    });
    const signed = `${String(headers['x-caudal-timestamp'])}.${text}`;
    expect(headers['x-caudal-signature']).toBe(`sha256=${createHmac('sha256', SECRET).update(signed).digest('hex')}`);
    await until('the run to know', async () => (await stack.request(`/v1/runs/${body.id}`)).body.notified?.delivered);
    isHookOpen = false;
    const bad = await stack.upload(salesFile('aviso,-1'), { pipeline: 'avisos', query: 'wait=60' });
    const refused = bad.body.run as unknown as string;
    expect(bad.status).toBe(422);
    await ingest.kill();
    isHookOpen = true;
    ingest.start();
    await ingest.ready();
    await until('the notice that is owed', () => notices.some((notice) => notice.body.includes(refused)));
    expect(notices.at(-1)!.headers['x-caudal-delivery']).toBe(`${refused}.rejected.1`);
    // Of other pipelines nothing is told.
    expect(notices.every((notice) => notice.body.includes('"avisos"'))).toBe(true);
    expect(ingest.log).not.toContain(SECRET);
  }, 90_000);

  it('deletes ended runs when their time is over; their files stay known', async () => {
    const file = salesFile('curta,1');
    const { body } = await stack.upload(file, { pipeline: 'curtas', query: 'wait=60' });
    expect(body.state).toBe('completed');
    await until('the run to be gone', async () => (await stack.request(`/v1/runs/${body.id}`)).status === 404);
    expect((await page('pipeline=curtas')).items).toEqual([]);
    const again = await stack.upload(file, { pipeline: 'curtas', query: 'wait=60' });
    expect([again.status, again.body.id, again.body.duplicate]).toEqual([200, body.id, true]);
    expect(again.body).toMatchObject({ state: 'completed', bytes: file.length, rows: { published: 1 } });
    await ingest.kill();
    ingest.start();
    await ingest.ready();
    expect((await stack.upload(file, { pipeline: 'curtas', query: '' })).body).toMatchObject({
      id: body.id,
      duplicate: true,
    });
    expect((await stack.rows('curtas')).length).toBe(1);
  }, 90_000);

  it('says of pipelines what they are, and how far behind', async () => {
    await stack.upload(salesFile('atraso,1'), { pipeline: 'vendas', query: 'wait=60' });
    const { body } = await stack.request('/v1/pipelines');
    const { items } = body as unknown as { items: { name: string }[] };
    expect(items.map(({ name }) => name)).toEqual(['avisos', 'curtas', 'vendas']);
    await until('no lag', async () => {
      const one = (await stack.request('/v1/pipelines/vendas')).body as unknown as {
        lag: { rows: { records: number }; features: { records: number } };
      };
      return one.lag.rows.records === 0 && one.lag.features.records === 0;
    });
    const one = (await stack.request('/v1/pipelines/vendas')).body as unknown as Record<string, unknown>;
    expect(one).toMatchObject({
      name: 'vendas',
      key: ['cidade'],
      views: [
        { name: 'ultimo', group_by: ['cidade'], window: 'upload', features: ['vendas', 'total'] },
        { name: 'sempre', window: 'all_time' },
      ],
      publisher_ready: true,
      uploads_waiting: 0,
    });
    expect(one.stream_time).toBeGreaterThan(0);
    expect((await stack.request('/v1/pipelines/nenhum')).status).toBe(404);
    expect((await stack.request('/v1/pipelines?x=1')).status).toBe(400);
  }, 60_000);

  it('lists ten thousand past runs page by page', async () => {
    const { items } = await page('pipeline=vendas&limit=1');
    const template = items[0]!;
    await ingest.kill('SIGTERM');
    const producer = await stack.client.openProducer();
    const records = Array.from({ length: PAST }, (_, n) => {
      const id = encodeTime(Date.now() - 86_400_000 + n, 10) + String(n).padStart(16, '0');
      const state = n % 100 === 0 ? 'failed' : 'completed';
      const ended = new Date(Date.now() - 80_000_000).toISOString();
      const internal = {
        pipeline_text: null,
        sequence: 1,
        expects: {},
        dead_letters: null,
        parts: null,
        received: true,
      };
      const run = {
        ...template,
        id,
        state,
        ended_at: ended,
        internal: { ...internal, queued_at: null, source: 'http', run_date: '2026-01-01' },
      };
      return { topic: sharedTopics(stack.prefix).runs, partition: 0, key: id, value: JSON.stringify(run) };
    });
    for (let n = 0; n < PAST; n += 1_000) await producer.send(records.slice(n, n + 1_000));
    await producer.close();
    ingest.start();
    await ingest.ready();
    const ids = async (query: string): Promise<string[]> => {
      const found: string[] = [];
      for (let cursor = ''; ;) {
        const { items: some, next_cursor: next } = await page(`limit=1000&${query}${cursor}`);
        found.push(...some.map((run) => run.id));
        if (next === null) return found;
        cursor = `&cursor=${next}`;
      }
    };
    const all = await ids('pipeline=vendas');
    const past = records.map((record) => record.key).reverse();
    expect(all.slice(-PAST)).toEqual(past);
    expect(all).toEqual([...new Set(all)].sort().reverse());
    const failed = await ids('pipeline=vendas&state=failed');
    expect(failed.slice(-PAST / 100)).toEqual(past.filter((id) => Number(id.slice(10)) % 100 === 0));
    expect((await stack.request(`/v1/runs/${past[5_000]}`)).body).toMatchObject({
      id: past[5_000],
      state: 'completed',
    });
    expect((await page('state=interrupted')).items).toEqual([]);
  }, 120_000);
});
