// Golden cases: windows computed by hand, in the comments, and where Kafka Streams (KS) would answer otherwise. The real
// task runs over a Kafka in memory. Times are seconds; stream time moves at the end of each upload.
import { parsePipelineFile } from '#contracts';
import type { NaiveRow } from '../harness/naive-windows.js';
import { runWindows } from '../harness/window-tasks.js';

/** What a row says: city, second, amount. */
type Given = readonly [city: string, second: number, amount: number];

/** One view `v` over these uploads. Features as [city, start, end, rows, sum, final], late as [upload/row, start, end, by]. */
async function golden(window: string, ...files: Given[][]) {
  const pipeline = parsePipelineFile(
    `
name: sales
source:
  columns: { city: { type: string, required: true }, at: { type: timestamp, required: true }, amount: { type: decimal } }
  event_time: at
views:
  v:
    group_by: [city]
    window: { ${window} }
    features: { rows: { count: '*' }, sum: { sum: amount } }
    redis: { key: '{city}' }
`,
    'sales.yaml',
  );
  const uploads = files.map((rows, file) =>
    rows.map(([group, second, amount], at): NaiveRow => ({
      upload: `u${file + 1}`,
      row: at + 1,
      group,
      timeMs: second * 1_000,
      amount,
    })),
  );
  const run = { pipeline, partitions: 2, uploads, watermarkEvery: null, faults: [], batchRecords: () => 100 };
  const { features, late } = await runWindows(run);
  return {
    features: [...features]
      .map(([key, value]) => {
        const [, city, start] = key.split(' ');
        const [end, rows, sum, final] = JSON.parse(value) as [number, number, number, boolean];
        return [city, Number(start) / 1_000, end / 1_000, rows, sum, final];
      })
      .sort((a, b) => Number(a[1]) - Number(b[1]) || (String(a[0]) < String(b[0]) ? -1 : 1)),
    late: late.map((text) => {
      const [row, , span, by] = text.split(' ') as [string, string, string, string];
      const [start, end] = span.split(/(?<=\d)-/).map(Number) as [number, number];
      return [row, start / 1_000, end / 1_000, Number(by) / 1_000];
    }),
  };
}

describe('tumbling, by hand', () => {
  it('size 10 s, grace 5 s', async () => {
    // u1: A at 3, 9 and 10, B at 24. 3 and 9 lie in [0, 10), 10 in [10, 20) (the end is exclusive), 24 in [20, 30).
    //     The row of 3 behind that of 24 is not late: a file is a set. Then stream time is 24, the watermark 24 - 5 = 19:
    //     [0, 10) is closed (10 <= 19), [10, 20) is not (20 > 19).
    // u2: A at 9: [0, 10) is closed: late, by 19 - 10 = 9 s. A at 19: [10, 20) takes it. Stream time stays 24.
    // KS: stream time moves with each record, so 3 and 9 behind 24 would be dropped already in u1; its stream time is a
    //     partition's own, here it is the same everywhere. It emits no final record unless it is told to suppress.
    const found = await golden(
      'type: tumbling, size: 10s, grace: 5s',
      [
        ['B', 24, 1],
        ['A', 3, 10],
        ['A', 9, 20],
        ['A', 10, 40],
      ],
      [
        ['A', 9, 80],
        ['A', 19, 5],
      ],
    );
    expect(found.features).toEqual([
      ['A', 0, 10, 2, 30, true],
      ['A', 10, 20, 2, 45, false],
      ['B', 20, 30, 1, 1, false],
    ]);
    expect(found.late).toEqual([['u2/1', 0, 10, 9]]);
  });

  it('before 1970, and closed exactly at the watermark', async () => {
    // A at -1 lies in [-10, 0), A at 0 in [0, 10). Stream time 10, grace 0: [-10, 0) and [0, 10) are closed (10 <= 10).
    // KS: the same border: it closes a window when stream time >= end + grace. It has no windows before 1970.
    const found = await golden('type: tumbling, size: 10s, grace: 0s', [
      ['A', -1, 1],
      ['A', 0, 2],
      ['A', 10, 4],
    ]);
    expect(found.features).toEqual([
      ['A', -10, 0, 1, 1, true],
      ['A', 0, 10, 1, 2, true],
      ['A', 10, 20, 1, 4, false],
    ]);
  });
});

describe('hopping, by hand', () => {
  it('size 10 s, advance 5 s, grace 0', async () => {
    // u1: A at 7 lies in [0, 10) and [5, 15); A at 12 in [5, 15) and [10, 20). Stream time 12 closes [0, 10).
    // u2: A at 9 lies in [0, 10), which is closed: late there, by 12 - 10 = 2 s; and in [5, 15), which takes it.
    //     A at 4 lies in [-5, 5) and [0, 10): both are closed, late by 7 s and 2 s: two late records, one late row.
    // KS: the same windows; a record counts as dropped there only once all of its windows are closed, and windows that
    //     would begin before 1970 do not exist.
    const found = await golden(
      'type: hopping, size: 10s, advance: 5s, grace: 0s',
      [
        ['A', 7, 1],
        ['A', 12, 2],
      ],
      [
        ['A', 9, 4],
        ['A', 4, 8],
      ],
    );
    expect(found.features).toEqual([
      ['A', 0, 10, 1, 1, true],
      ['A', 5, 15, 3, 7, false],
      ['A', 10, 20, 1, 2, false],
    ]);
    expect(found.late).toEqual([
      ['u2/1', 0, 10, 2],
      ['u2/2', -5, 5, 7],
      ['u2/2', 0, 10, 2],
    ]);
  });
});

describe('session, by hand', () => {
  it('gap 10 s: rows exactly a gap apart do not join, one in between does', async () => {
    // u1: A at 0 makes [0, 10), A at 10 makes [10, 20): 10 is not in [0, 10).
    //     B at 0 and 19 make [0, 10) and [19, 29); B at 9.5 is within the gap of both: one session [0, 29).
    // KS: the gap is inclusive: 0 and 10 would be one session. A session ends there at its last record (0 to 10), not a
    //     gap behind it.
    const found = await golden('type: session, gap: 10s, grace: unlimited', [
      ['A', 0, 1],
      ['A', 10, 2],
      ['B', 0, 1],
      ['B', 19, 2],
      ['B', 9.5, 4],
    ]);
    expect(found.features).toEqual([
      ['A', 0, 10, 1, 1, false],
      ['B', 0, 29, 3, 7, false],
      ['A', 10, 20, 1, 2, false],
    ]);
  });

  it('gap 10 s, grace 0: late is who makes or joins a closed one', async () => {
    // u1: A at 0 makes [0, 10), A at 25 [25, 35), B at 30 [30, 40). Stream time 30: A's [0, 10) is closed.
    // u2: A at 16: its own [16, 26) is closed (26 <= 30), but it joins [25, 35), which is open: [16, 35).
    //     A at 8: its own [8, 18) is closed, and [0, 10) too, which it falls into: late. It would join [16, 35) only by the
    //     row before it in its file, which does not count: a file is a set.
    //     C at 20: [20, 30) is closed (30 <= 30) and there is none to join: late, by 0. C at 21: [21, 31) is open.
    // u3: A at 7: joins [16, 35) since that was there when its file began, but falls into the closed [0, 10): late.
    //     A at 6 of B: [6, 16) is closed: late. Stream time stays 30.
    // KS: judges the session that a record merges into, in the order in which records come: 8 behind 16 would be on time
    //     (its merged session ends at 25), before 16 it would not.
    const found = await golden(
      'type: session, gap: 10s, grace: 0s',
      [
        ['A', 0, 1],
        ['A', 25, 2],
        ['B', 30, 1],
      ],
      [
        ['A', 16, 4],
        ['A', 8, 100],
        ['C', 20, 100],
        ['C', 21, 1],
      ],
      [
        ['A', 7, 100],
        ['B', 6, 100],
      ],
    );
    expect(found.features).toEqual([
      ['A', 0, 10, 1, 1, true],
      ['A', 16, 35, 2, 6, false],
      ['C', 21, 31, 1, 1, false],
      ['B', 30, 40, 1, 1, false],
    ]);
    expect(found.late).toEqual([
      ['u2/2', 8, 18, 12],
      ['u2/3', 20, 30, 0],
      ['u3/1', 7, 17, 13],
      ['u3/2', 6, 16, 14],
    ]);
  });
});
