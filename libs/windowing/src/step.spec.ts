// A step: an overlay that counts what it will write, and leaves the store alone until commit.
import { parsePipelineFile, type Row } from '#contracts';
import { GroupBy } from './group-by.js';

const pipeline = parsePipelineFile(
  `
name: lojas
source:
  columns: { cidade: { type: string, required: true }, valor: { type: decimal } }
views:
  por_upload:
    group_by: [cidade]
    window: { type: upload }
    features: { total: { sum: valor } }
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
`,
  'lojas.yaml',
);
const row = (cidade: string, time: number, valor: string | null = '1', upload = 'u1'): Row => ({
  upload,
  row: 1,
  time,
  cells: { cidade, valor },
});
const code = (name: string) => expect.objectContaining({ code: name });
const texts = (groupBy: GroupBy) => [...groupBy.results()].map((record) => JSON.stringify(record));

describe('Step', () => {
  it('counts changed entries and the Kafka records they become', () => {
    const step = new GroupBy(pipeline).beginStep();
    expect([step.maxRecordsPerRow, step.entries, step.records]).toEqual([5, 0, 0]);
    step.applyRow(row('A', 0));
    expect([step.entries, step.records]).toEqual([3, 5]);
    step.applyRow(row('A', 999));
    expect([step.entries, step.records]).toEqual([3, 5]);
    step.applyRow(row('A', 1000));
    expect([step.entries, step.records]).toEqual([4, 7]);
    step.applyRow(row('B', 0));
    step.applyRow(row('A', 0, '1', 'u2'));
    expect([step.entries, step.records]).toEqual([8, 13]);
    const changes = step.changes();
    expect(changes.length + changes.filter((change) => change.feature !== null).length).toBe(step.records);
  });

  it('shows updates of all_time and time windows, not final, and nothing yet of uploads', () => {
    const groupBy = new GroupBy(pipeline);
    groupBy.advanceStreamTime(500);
    const step = groupBy.beginStep();
    step.applyRow(row('A', 1500, '2.50'));
    const changes = step.changes();
    expect(changes.map((change) => [change.changelogKey, change.changelogValue])).toEqual([
      ['por_upload\u0000A\u0000u1', '["u1","2.5"]'],
      ['sempre\u0000A\u0000', '["u1",1]'],
      ['por_segundo\u0000A\u00001000', '["u1",1]'],
    ]);
    expect(changes[0]!.feature).toBeNull();
    expect(changes[2]!.feature).toEqual({
      key: 'por_segundo\u0000A\u00001000',
      value:
        '{"view":"por_segundo","key":{"cidade":"A"},"window":{"type":"tumbling","start":1000,"end":2000},' +
        '"features":{"linhas":1},"final":false,"upload":"u1","stream_time":500}',
    });
  });

  it('leaves the store alone until commit, and for good when it is dropped', () => {
    const groupBy = new GroupBy(pipeline);
    const first = groupBy.beginStep();
    first.applyRow(row('A', 0));
    first.commit();
    const before = texts(groupBy);
    const dropped = groupBy.beginStep();
    dropped.applyRow(row('A', 0));
    dropped.applyRow(row('B', 0));
    expect([texts(groupBy), groupBy.size]).toEqual([before, 3]);
    const second = groupBy.beginStep();
    second.applyRow(row('A', 0, '4'));
    second.commit();
    expect([...groupBy.results()].map((record) => record.features)).toEqual([
      { total: '5' },
      { linhas: 2 },
      { linhas: 2 },
    ]);
  });

  it('is late per view: the others take the row', () => {
    const groupBy = new GroupBy(pipeline);
    groupBy.advanceStreamTime(4000);
    const step = groupBy.beginStep();
    const window = { type: 'tumbling', start: 1000, end: 2000 };
    expect(step.applyRow(row('A', 1999))).toEqual([{ view: 'por_segundo', window, lateByMs: 0 }]);
    expect([step.entries, step.records]).toEqual([2, 4]); // a late record, and what the other views write
    expect(step.applyRow(row('A', 2000))).toEqual([]);
    expect(step.entries).toBe(3);
  });

  it('takes the last upload that touched an entry', () => {
    const groupBy = new GroupBy(pipeline);
    const step = groupBy.beginStep();
    step.applyRow(row('A', 0, '1', 'u1'));
    step.applyRow(row('A', 0, '1', 'u2'));
    step.applyRow(row('B', 0, '1', 'u2'));
    step.applyRow(row('B', 0, '1', 'u1'));
    const values = Object.fromEntries(step.changes().map((change) => [change.changelogKey, change.changelogValue]));
    expect(values['sempre\u0000A\u0000']).toBe('["u2",2]');
    expect(values['sempre\u0000B\u0000']).toBe('["u1",2]');
    expect(values['por_upload\u0000A\u0000u1']).toBe('["u1","1"]');
    expect(values['por_upload\u0000A\u0000u2']).toBe('["u2","1"]');
  });

  it('is stale once another step has been committed, itself too', () => {
    const groupBy = new GroupBy(pipeline);
    const [first, second] = [groupBy.beginStep(), groupBy.beginStep()];
    first.applyRow(row('A', 0));
    first.commit();
    expect(() => first.commit()).toThrow(code('stale_step'));
    expect(() => second.applyRow(row('A', 0))).toThrow(code('stale_step'));
    expect(() => second.commit()).toThrow(code('stale_step'));
  });

  it("is stale once stream time has moved, since lateness is judged at the row's place in the log", () => {
    const groupBy = new GroupBy(pipeline);
    const step = groupBy.beginStep();
    groupBy.advanceStreamTime(1);
    expect(() => step.applyRow(row('A', 0))).toThrow(code('stale_step'));
    const next = groupBy.beginStep();
    groupBy.advanceStreamTime(0);
    expect(next.applyRow(row('A', 0))).toEqual([]);
    groupBy.beginEpoch();
    expect(() => next.applyRow(row('A', 0))).toThrow(code('stale_step'));
  });

  it('groups views by their own order of the columns', () => {
    const view = pipeline.views[1]!;
    const two = {
      ...pipeline,
      views: [
        { ...view, groupBy: ['cidade', 'valor'] },
        { ...view, name: 'b', groupBy: ['valor', 'cidade'] },
      ],
    };
    const step = new GroupBy(two).beginStep();
    step.applyRow(row('A', 0));
    expect(step.changes().map((change) => change.changelogKey)).toEqual([
      'sempre\u0000["A","1"]\u0000',
      'b\u0000["1","A"]\u0000',
    ]);
  });

  it.each([
    [row('A', Number.NaN), 'bad_row'],
    [row('A', 0, 'x'), 'bad_decimal'],
  ])('refuses a row that breaks the contract (%#)', (bad, name) => {
    expect(() => new GroupBy(pipeline).beginStep().applyRow(bad)).toThrow(code(name));
  });
});
