// Notices to a server of the test's own: signed, tried again, owed until they are told, never followed elsewhere.
import { parsePipelineFile, type StoredRun } from '#contracts';
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { foldRun, newRun, type RunEvent } from '../runs/fold-run.js';
import { Notifier } from './notifier.js';

const SECRET = 'a secret of sixteen characters';

interface Got {
  headers: IncomingMessage['headers'];
  body: string;
}

describe('Notifier', () => {
  let server: Server;
  let got: Got[];
  let answers: ((response: import('node:http').ServerResponse) => void)[];
  let stop: AbortController;
  beforeEach(async () => {
    got = [];
    answers = [];
    stop = new AbortController();
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        got.push({ headers: request.headers, body });
        const answer = answers.shift();
        if (answer) answer(response);
        else response.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    stop.abort();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const status =
    (code: number, headers = {}) =>
    (response: import('node:http').ServerResponse) =>
      void response.writeHead(code, headers).end();

  function setUp(on: 'completed' | 'failed' = 'failed') {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=x`;
    const text = `name: p
source: { columns: { c: { type: string, required: true } } }
views: { v: { group_by: [c], window: { type: upload }, features: { n: { count: "*" } }, redis: { key: "{c}" } } }
notify: { url: "${url}", on: [${on}] }
`;
    const pipeline = parsePipelineFile(text, 'p.yaml');
    const fresh = newRun({
      id: 'R',
      pipeline: 'p',
      pipelineText: '',
      fileName: null,
      saveToDb: true,
      createdAtMs: 0,
      notifyOn: [on],
    });
    const error = { code: 'redis_away', message: 'away', retriable: true };
    let run: StoredRun = foldRun(fresh, { type: 'ended', state: 'failed', error, at: 1 });
    const events: RunEvent[] = [];
    const warnings: string[] = [];
    const outcomes: string[] = [];
    const notifier = new Notifier({
      pipelines: new Map([['p', pipeline]]),
      store: {
        get: () => run,
        owingNotice: () => [run],
        apply: async (_id, event) => {
          events.push(event);
          run = foldRun(run, event);
          return run;
        },
      },
      secret: SECRET,
      now: () => 1_700_000_000_000,
      waitsMs: [0, 0],
      stop: stop.signal,
      log: { info: () => undefined, warn: (fields) => warnings.push(JSON.stringify(fields)) },
      onDelivery: (_pipeline, outcome) => outcomes.push(outcome),
    });
    const told = async () => {
      while (!run.notified) await new Promise((resolve) => setTimeout(resolve, 1));
      return run.notified;
    };
    return { notifier, told, run: () => run, events, warnings, outcomes };
  }

  it('tells of the end, signed with the time of sending', async () => {
    const { notifier, told, run, outcomes } = setUp();
    notifier.take(run());
    expect(await told()).toMatchObject({ delivered: true, attempts: 1 });
    const [{ headers, body }] = got as [Got];
    const expected = createHmac('sha256', SECRET).update(`1700000000.${body}`).digest('hex');
    expect(headers).toMatchObject({
      'x-caudal-signature': `sha256=${expected}`,
      'x-caudal-timestamp': '1700000000',
      'x-caudal-delivery': 'R.failed.1',
      'content-type': 'application/json',
    });
    expect(JSON.parse(body)).toMatchObject({
      id: 'R.failed.1',
      event: 'run.failed',
      pipeline: 'p',
      run: { id: 'R', state: 'failed' },
    });
    expect(body).not.toContain('internal');
    expect(outcomes).toEqual(['delivered']);
    // Told is told.
    notifier.take(run());
    notifier.start();
    expect(got).toHaveLength(1);
  });

  it('tries again, with the same id, and gives up after so many attempts', async () => {
    const { notifier, told, run, warnings, outcomes } = setUp();
    answers = [status(500), status(302, { location: '/elsewhere' }), status(404)];
    notifier.start();
    expect(await told()).toMatchObject({ delivered: false, attempts: 3, message: 'answered 404' });
    expect(got.map(({ headers }) => headers['x-caudal-delivery'])).toEqual(['R.failed.1', 'R.failed.1', 'R.failed.1']);
    expect(outcomes).toEqual(['given_up']);
    expect(warnings.join()).toContain('redirects are not followed');
    expect(warnings.join()).not.toContain('token');
    expect(run().state).toBe('failed');
  });

  it('delivers at last when a try succeeds', async () => {
    const { notifier, told } = setUp();
    answers = [(response) => void response.destroy(), status(200)];
    notifier.start();
    expect(await told()).toMatchObject({ delivered: true, attempts: 2, message: null });
  });

  it('owes nothing for states that were not asked for', async () => {
    const { notifier, run } = setUp('completed');
    notifier.take(run());
    notifier.start();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(got).toEqual([]);
  });
});
