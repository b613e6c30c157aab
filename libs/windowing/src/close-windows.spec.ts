// What is due: an upload's windows at its end, windows of time at the watermark, in pieces of any size.
import fc from 'fast-check';
import { parsePipelineFile } from '#contracts';
import { GroupBy } from './group-by.js';

const pipeline = parsePipelineFile(
  `
name: lojas
source:
  columns: { cidade: { type: string, required: true } }
views:
  por_upload:
    group_by: [cidade]
    window: { type: upload }
    features: { linhas: { count: "*" } }
    redis: { key: "u:{cidade}" }
  sempre:
    group_by: [cidade]
    window: { type: all_time }
    features: { linhas: { count: "*" } }
    redis: { key: "a:{cidade}" }
  por_segundo:
    group_by: [cidade]
    window: { type: tumbling, size: 1s, grace: 2s }
    features: { linhas: { count: "*" } }
    redis: { key: "t:{cidade}" }
  sem_fim:
    group_by: [cidade]
    window: { type: tumbling, size: 1s, grace: unlimited }
    features: { linhas: { count: "*" } }
    redis: { key: "s:{cidade}" }
`,
  'lojas.yaml',
);

/** Rows as [upload, city, time]. */
function filled(rows: readonly (readonly [string, string, number])[]): GroupBy {
  const groupBy = new GroupBy(pipeline);
  const step = groupBy.beginStep();
  for (const [upload, cidade, time] of rows) step.applyRow({ upload, row: 1, time, cells: { cidade } });
  step.commit();
  return groupBy;
}
const ROWS = [
  ['u1', 'A', 1500],
  ['u2', 'A', 500],
  ['u1', 'B', 500],
  ['u1', 'A', 700],
] as const;
const keys = (due: { changes: { changelogKey: string }[] }) =>
  due.changes.map((change) => change.changelogKey.replaceAll('\u0000', ' '));

describe('GroupBy.due', () => {
  it("closes the upload's own windows only, final, with the new stream time", () => {
    const due = filled(ROWS).due({ upload: 'u1', streamTime: 1500, limit: 100 });
    expect([keys(due), due.done]).toEqual([['por_upload A u1', 'por_upload B u1'], true]);
    expect(due.changes[0]).toEqual({
      changelogKey: 'por_upload\u0000A\u0000u1',
      changelogValue: null,
      feature: {
        key: 'por_upload\u0000A\u0000',
        value:
          '{"view":"por_upload","key":{"cidade":"A"},"window":{"type":"upload","start":null,"end":null},' +
          '"features":{"linhas":2},"final":true,"upload":"u1","stream_time":1500}',
      },
    });
  });

  it('closes windows of time whose end is at or below the watermark, by end', () => {
    const groupBy = filled(ROWS);
    expect(keys(groupBy.due({ upload: null, streamTime: 2999, limit: 100 }))).toEqual([]);
    expect(keys(groupBy.due({ upload: null, streamTime: 3000, limit: 100 }))).toEqual([
      'por_segundo A 0',
      'por_segundo B 0',
    ]);
    const all = groupBy.due({ upload: null, streamTime: 9000, limit: 100 });
    expect(keys(all)).toEqual(['por_segundo A 0', 'por_segundo B 0', 'por_segundo A 1000']);
    expect(all.changes[2]!.feature!.value).toContain('"final":true,"upload":"u1","stream_time":9000}');
  });

  it('uses the later of its own stream time and the new one', () => {
    const groupBy = filled(ROWS);
    groupBy.advanceStreamTime(3000);
    const due = groupBy.due({ upload: null, streamTime: null, limit: 100 });
    expect(keys(due)).toEqual(['por_segundo A 0', 'por_segundo B 0']);
    expect(due.changes[0]!.feature!.value).toContain('"stream_time":3000}');
    expect(keys(groupBy.due({ upload: null, streamTime: 5, limit: 100 }))).toHaveLength(2);
  });

  it("drops a cancelled upload's windows without output; windows of time close as ever", () => {
    const due = filled(ROWS).due({ upload: 'u1', streamTime: 3000, limit: 100, cancelled: true });
    expect(due.changes.map((change) => [change.changelogKey.split('\u0000')[0], change.feature === null])).toEqual([
      ['por_upload', true],
      ['por_upload', true],
      ['por_segundo', false],
      ['por_segundo', false],
    ]);
    expect(due.changes.every((change) => change.changelogValue === null)).toBe(true);
  });

  it('changes nothing until commit, then what was due is gone', () => {
    const groupBy = filled(ROWS);
    const size = groupBy.size;
    const due = groupBy.due({ upload: 'u1', streamTime: null, limit: 100 });
    expect([groupBy.size, groupBy.streamTime]).toEqual([size, null]);
    due.commit();
    expect(groupBy.size).toBe(size - 2);
    expect(keys(groupBy.due({ upload: 'u1', streamTime: null, limit: 100 }))).toEqual([]);
    expect(() => due.commit()).toThrow(expect.objectContaining({ code: 'stale_step' }));
  });

  it('is stale once a step has been committed since', () => {
    const groupBy = filled(ROWS);
    const due = groupBy.due({ upload: 'u1', streamTime: null, limit: 100 });
    groupBy.beginStep().commit();
    expect(() => due.commit()).toThrow(expect.objectContaining({ code: 'stale_step' }));
  });

  it('is done at once when the limit is just enough', () => {
    const groupBy = filled(ROWS);
    expect(groupBy.due({ upload: 'u1', streamTime: null, limit: 2 }).done).toBe(true);
    expect(groupBy.due({ upload: 'u1', streamTime: null, limit: 1 }).done).toBe(false);
    expect(groupBy.due({ upload: 'unknown', streamTime: null, limit: 1 })).toMatchObject({ changes: [], done: true });
  });

  it.each([0, -1, Number.NaN])('refuses the limit %p, which would never be done', (limit) => {
    expect(() => filled(ROWS).due({ upload: 'u1', streamTime: null, limit })).toThrow('limit');
  });

  it('gives the same records in pieces of any size as at once', () => {
    const rows = fc.array(
      fc.tuple(fc.constantFrom('u1', 'u2'), fc.constantFrom('A', 'B', 'C'), fc.integer({ min: -3000, max: 9000 })),
    );
    const args = { upload: 'u1', streamTime: 6000 };
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 7 }), (rows, limit) => {
        const atOnce = filled(rows).due({ ...args, limit: Number.POSITIVE_INFINITY });
        const pieces = filled(rows);
        const changes = [];
        for (let done = false; !done;) {
          const due = pieces.due({ ...args, limit });
          expect(due.changes.length === limit || due.done).toBe(true);
          changes.push(...due.changes);
          due.commit();
          done = due.done;
        }
        expect(changes).toEqual(atOnce.changes);
      }),
    );
  });
});
