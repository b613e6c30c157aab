// Hopping, session and local-day windows through the three services, real Kafka and Redis: two uploads around the night in
// which São Paulo had no midnight (4 November 2018 began at 03:00Z). Computed by hand, in the comments.
import { parseFeatureKey } from '#contracts';
import type { HttpAnswer } from '../harness/stack.js';
import { Stack } from '../harness/stack.js';

const at = (text: string) => Date.parse(`2018-11-${text}Z`);
const file = (...rows: string[]) => `cidade,quando\n${rows.join('\n')}\n`;
const row = (city: string, time: string) => `${city},2018-11-${time}Z`;

describe('windows of time through three services', () => {
  let stack: Stack;
  let first: HttpAnswer;
  let second: HttpAnswer;

  beforeAll(async () => {
    stack = await Stack.start({ pipelinesDir: 'test/e2e/window-pipelines', partitions: 2 });
    // Stream time becomes 03:45 by B's row. A has two sessions, [02:40, 03:10) and [03:30, 04:00).
    const one = file(
      row('B', '04T03:45:00'),
      row('A', '04T02:40:00'),
      'A,9999-01-01T00:00:00Z',
      row('A', '04T03:30:00'),
    );
    first = await stack.upload(one, { pipeline: 'visitas' });
    afterFirst = await read('d:A', 'v:A', 'i:A', 's:A');
    // 03:05 lies in A's closed session and between both of those that never close; 02:50 on 3 November, which is closed.
    const rows = [row('A', '04T03:05:00'), row('A', '04T02:50:00'), row('B', '04T03:20:00'), row('B', '04T03:50:00')];
    second = await stack.upload(file(...rows), { pipeline: 'visitas' });
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  type Hashes = Record<string, string[]>;
  let afterFirst: Hashes;
  /** By key: rows, window start and end. */
  async function read(...prefixes: string[]): Promise<Hashes> {
    const keys = ((await stack.redis.keys('*')) as string[]).filter((key) =>
      prefixes.some((one) => key.startsWith(one)),
    );
    const hashes: Hashes = {};
    for (const key of keys.sort()) {
      const { linhas, _window_start, _window_end } = await stack.hash(key);
      hashes[key] = [linhas!, _window_start!, _window_end!];
    }
    return hashes;
  }
  const hash = (rows: number, start: string, end: string) => [String(rows), String(at(start)), String(at(end))];
  const day2 = '02T03:00:00';
  const day3 = '03T03:00:00';
  const day4 = '04T03:00:00';
  const day5 = '05T02:00:00';
  const day6 = '06T02:00:00';

  it('one row of the year 9999 is a dead letter and closes nothing', async () => {
    expect(first.body).toMatchObject({
      state: 'completed',
      rows: { read: 4, accepted: 3, rejected: 1, published: 3, late: 0 },
    });
    const letters = await stack.request(`/v1/runs/${first.body.id}/dead-letters`);
    expect((letters.body as unknown as { items: object[] }).items).toEqual([
      expect.objectContaining({ row: 3, column: 'quando', code: 'event_time' }),
    ]);
  });

  it('windows begin and end at local midnight; with emit: final a day shows when it has closed', () => {
    expect(afterFirst).toEqual({
      // 3 November closed at 03:00Z, the 4th is open: not shown yet.
      [`d:A:${at(day3)}`]: hash(1, day3, day4),
      [`s:A:${at(day2)}:${at(day4)}`]: hash(1, day2, day4),
      [`s:A:${at(day3)}:${at(day5)}`]: hash(2, day3, day5),
      [`s:A:${at(day4)}:${at(day6)}`]: hash(1, day4, day6),
      // The newest session, and all of them.
      'v:A': hash(1, '04T03:30:00', '04T04:00:00'),
      [`i:A:${at('04T02:40:00')}`]: hash(1, '04T02:40:00', '04T03:10:00'),
      [`i:A:${at('04T03:30:00')}`]: hash(1, '04T03:30:00', '04T04:00:00'),
    });
  });

  it('a session that became part of another is retracted before that appears, in features and in Redis', async () => {
    expect(await read('i:A', 'v:', 's:A')).toEqual({
      [`i:A:${at('04T02:40:00')}`]: hash(4, '04T02:40:00', '04T04:00:00'),
      'v:A': hash(1, '04T03:30:00', '04T04:00:00'),
      // 03:20 moved the start of B's only session, 03:50 its end.
      'v:B': hash(3, '04T03:20:00', '04T04:20:00'),
      [`s:A:${at(day2)}:${at(day4)}`]: hash(1, day2, day4),
      [`s:A:${at(day3)}:${at(day5)}`]: hash(4, day3, day5),
      [`s:A:${at(day4)}:${at(day6)}`]: hash(2, day4, day6),
    });
    expect(await stack.redis.pttl(`i:A:${at('04T02:40:00')}`)).toBeGreaterThan(0);
    const records = (await stack.records(stack.topics('visitas').features)).flatMap(({ key, value }) => {
      const parts = parseFeatureKey(key!.toString());
      if (parts?.view !== 'por_inicio' || parts.group !== 'A') return [];
      return [[parts.windowStart, value === null ? null : JSON.parse(value.toString()).features.linhas]];
    });
    const merged = records.findIndex(([start, rows]) => start === at('04T02:40:00') && rows === 4);
    const retracted = records.findIndex(([, rows]) => rows === null);
    expect(records[retracted]).toEqual([at('04T03:30:00'), null]);
    expect(retracted < merged).toBe(true);
  });

  it('late rows are counted by view and kept, one record per closed window', async () => {
    expect(second.body).toMatchObject({ state: 'completed', rows: { accepted: 4, late: 2 } });
    expect(second.body.rows!.late_by_view).toEqual({ dois_dias: 1, dia: 1, visita: 2 });
    const records = (await stack.records(stack.topics('visitas').late)).map(({ key, value }) => {
      expect(key!.toString()).toBe('A');
      return JSON.parse(value!.toString()) as Record<string, unknown>;
    });
    const late = (rowNumber: number, view: string, type: string, start: string, end: string) => ({
      cidade: 'A',
      quando: `2018-11-${rowNumber === 1 ? '04T03:05:00' : '04T02:50:00'}.000Z`,
      _upload: second.body.id,
      _row: rowNumber,
      _time: at(rowNumber === 1 ? '04T03:05:00' : '04T02:50:00'),
      view,
      window: { type, start: at(start), end: at(end) },
      late_by_ms: at('04T03:45:00') - at(end),
    });
    const order = (one: Record<string, unknown>) => `${one._row} ${one.view}`;
    expect(records.sort((a, b) => (order(a) < order(b) ? -1 : 1))).toEqual([
      late(1, 'visita', 'session', '04T03:05:00', '04T03:35:00'),
      late(2, 'dia', 'tumbling', day3, day4),
      late(2, 'dois_dias', 'hopping', day2, day4),
      late(2, 'visita', 'session', '04T02:50:00', '04T03:20:00'),
    ]);
    const aggregator = stack.service('aggregator');
    const metrics = await (await fetch(`http://127.0.0.1:${aggregator.port}/metrics`)).text();
    expect(metrics).toMatch(/caudal_rows_late_total\{[^}]*view="visita"[^}]*\} 2/);
  });
});
