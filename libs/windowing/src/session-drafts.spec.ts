// Sessions in a step: what joins, what is retracted, and who is late.
import { parsePipelineFile } from '#contracts';
import { GroupBy } from './group-by.js';

const pipelineOf = (window: string) =>
  parsePipelineFile(
    `
name: lojas
source:
  columns: { cidade: { type: string, required: true } }
views:
  visitas:
    group_by: [cidade]
    window: { type: session, ${window} }
    features: { linhas: { count: "*" } }
    redis: { key: "v:{cidade}" }
`,
    'lojas.yaml',
  );
const pipeline = pipelineOf('gap: 10s, grace: 0s');
const at = (seconds: number, cidade = 'A', upload = 'u1') => ({
  upload,
  row: 1,
  time: seconds * 1000,
  cells: { cidade },
});

/** Applies times of one city as one step; answers how many are late. */
function step(groupBy: GroupBy, ...seconds: number[]): number {
  const one = groupBy.beginStep();
  const late = seconds.filter((second) => one.applyRow(at(second)).length > 0).length;
  one.commit();
  return late;
}
/** An end of upload at this stream time. */
function pass(groupBy: GroupBy, seconds: number) {
  const due = groupBy.due({ upload: 'u1', streamTime: seconds * 1000, limit: 100 });
  due.commit();
  groupBy.advanceStreamTime(seconds * 1000);
  groupBy.beginEpoch();
  return due.changes;
}
const sessions = (groupBy: GroupBy) =>
  [...groupBy.results()].map(({ window, features }) => [window.start! / 1000, window.end! / 1000, features.linhas]);
const written = (changes: { changelogKey: string; changelogValue: string | null; feature: unknown }[]) =>
  changes.map(({ changelogKey, changelogValue, feature }) => [
    changelogKey.split('\u0000')[2],
    changelogValue,
    (feature as { value: string | null } | null)?.value?.replace(/.*"start":(-?\d+),"end":(-?\d+).*/, '$1-$2') ?? null,
  ]);

describe('SessionDrafts', () => {
  it('ends a session its gap after the last row; rows exactly a gap apart do not join', () => {
    const groupBy = new GroupBy(pipeline);
    step(groupBy, 0, 9, 19, 30);
    expect(sessions(groupBy)).toEqual([
      [0, 19, 2],
      [19, 29, 1],
      [30, 40, 1],
    ]);
    step(groupBy, 10); // within the gap of both 9 and 19
    expect(sessions(groupBy)).toEqual([
      [0, 29, 4],
      [30, 40, 1],
    ]);
  });

  it('writes retractions before the session that takes their place, and counts them', () => {
    const groupBy = new GroupBy(pipeline);
    step(groupBy, 5, 20);
    const one = groupBy.beginStep();
    one.applyRow(at(12));
    expect(one.maxRecordsPerRow).toBe(6);
    expect([one.entries, one.records]).toEqual([2, 4]);
    expect(written(one.changes())).toEqual([
      ['20000', null, null],
      ['5000', '["u1",30000,null,0,null,3]', '5000-30000'],
    ]);
    one.applyRow(at(-1));
    expect(written(one.changes())).toEqual([
      ['5000', null, null],
      ['20000', null, null],
      ['-1000', '["u1",30000,null,0,null,4]', '-1000-30000'],
    ]);
    expect(one.changes().map(({ feature }) => feature!.value === null)).toEqual([true, true, false]);
    expect([one.entries, one.records]).toEqual([3, 6]);
    one.commit();
    expect([groupBy.size, sessions(groupBy)]).toEqual([1, [[-1, 30, 4]]]);
  });

  it('leaves no trace of a session that was made and joined within one step', () => {
    const one = new GroupBy(pipeline).beginStep();
    one.applyRow(at(20));
    one.applyRow(at(12));
    one.applyRow(at(5));
    expect(written(one.changes())).toEqual([['5000', '["u1",30000,null,0,null,3]', '5000-30000']]);
    expect([one.entries, one.records]).toEqual([1, 2]);
  });

  it('with emit: final shows the closing session alone, and retracts nothing that was never shown', () => {
    const groupBy = new GroupBy(pipelineOf('gap: 10s, grace: 0s, emit: final'));
    step(groupBy, 5);
    const one = groupBy.beginStep();
    one.applyRow(at(0));
    expect(one.changes().map(({ changelogValue, feature }) => [changelogValue === null, feature])).toEqual([
      [true, null],
      [false, null],
    ]);
    expect(one.records).toBe(2);
    one.commit();
    const [closed] = pass(groupBy, 15);
    expect(closed!.feature!.value).toContain('"start":0,"end":15000},"features":{"linhas":2},"final":true');
  });

  it('restores its sessions with what lateness needs', () => {
    const groupBy = new GroupBy(pipeline);
    const one = groupBy.beginStep();
    for (const second of [0, 5, 40]) one.applyRow(at(second));
    const restored = new GroupBy(pipeline);
    for (const { changelogKey, changelogValue } of one.changes()) restored.restore(changelogKey, changelogValue);
    one.commit();
    expect([...restored.results()]).toEqual([...groupBy.results()]);
    const [key] = one.changes().map(({ changelogKey }) => changelogKey);
    for (const bad of [
      '["u1",1]',
      '["u1","5",null,0,null,1]',
      '["u1",5,"x",0,null,1]',
      '["u1",5,1,null,null,1]',
      '["u1",5,1,0,"x",1]',
    ]) {
      expect(() => restored.restore(key!, bad)).toThrow(expect.objectContaining({ code: 'bad_changelog' }));
    }
  });
});

describe('late rows of sessions', () => {
  it('are those whose own session is closed, unless they join an open one', () => {
    const groupBy = new GroupBy(pipeline);
    step(groupBy, 0, 28);
    expect(pass(groupBy, 30).map(({ changelogKey }) => changelogKey.split('\u0000')[2])).toEqual(['0']);
    const one = groupBy.beginStep();
    expect(one.applyRow(at(18))).toEqual([
      { view: 'visitas', window: { type: 'session', start: 18_000, end: 28_000 }, lateByMs: 2_000 },
    ]);
    expect(one.records).toBe(1);
    expect(one.applyRow(at(19))).toEqual([]); // its own session [19, 29) is closed, but it joins [28, 38)
    expect(one.applyRow(at(21))).toEqual([]);
    expect(one.applyRow(at(20, 'B'))).toHaveLength(1); // nobody to join
    expect(one.applyRow(at(20.001, 'B'))).toHaveLength(0);
  });

  it('are the same in any order of the rows of a file', () => {
    // Open at the beginning of the file: [28, 38), stream time 30. 12 and 19: 19 is on time since it joins 28; 12 would
    // join 19 only, which was not there when the file began.
    for (const order of [
      [12, 19, 21],
      [12, 21, 19],
      [19, 12, 21],
      [19, 21, 12],
      [21, 12, 19],
      [21, 19, 12],
    ]) {
      for (const cut of [1, 2, 3]) {
        const groupBy = new GroupBy(pipeline);
        step(groupBy, 28);
        pass(groupBy, 30);
        const late = step(groupBy, ...order.slice(0, cut)) + step(groupBy, ...order.slice(cut));
        expect([late, sessions(groupBy)]).toEqual([1, [[19, 38, 3]]]);
      }
    }
  });

  it('are judged anew after each control record', () => {
    const groupBy = new GroupBy(pipeline);
    step(groupBy, 28);
    pass(groupBy, 30);
    expect(step(groupBy, 19)).toBe(0);
    expect(step(groupBy, 12)).toBe(1);
    pass(groupBy, 30);
    expect(step(groupBy, 12)).toBe(0); // the session began at 19 when this file began
    expect(sessions(groupBy)).toEqual([[12, 38, 3]]);
  });

  it('are those too that fall into a closed session, though their own is open', () => {
    const groupBy = new GroupBy(pipeline);
    step(groupBy, 0);
    pass(groupBy, 12);
    const one = groupBy.beginStep();
    expect(one.applyRow(at(5))).toEqual([
      { view: 'visitas', window: { type: 'session', start: 0, end: 10_000 }, lateByMs: 2_000 },
    ]);
    expect(one.applyRow(at(10))).toEqual([]); // it only touches the closed one
    one.commit();
    expect(sessions(groupBy)).toEqual([[10, 20, 1]]);
  });

  it('are known as long as they may come: two gaps, or while an open session follows', () => {
    const groupBy = new GroupBy(pipeline);
    step(groupBy, 0);
    expect(written(pass(groupBy, 12))).toEqual([['0', '[10000]', '0-10000']]);
    expect([groupBy.size, sessions(groupBy)]).toEqual([1, []]);
    step(groupBy, 10, 19, 28, 37, 46); // 10 to 56
    expect(pass(groupBy, 40)).toEqual([]);
    // It would join the open session, had the closed one not been before.
    expect(step(groupBy, 5)).toBe(1);
    expect(written(pass(groupBy, 56))).toEqual([
      ['0', null, null],
      ['10000', '[56000]', '10000-56000'],
    ]);
    expect(written(pass(groupBy, 75))).toEqual([]);
    expect(written(pass(groupBy, 76))).toEqual([['10000', null, null]]);
    expect(groupBy.size).toBe(0);
  });

  it('need nothing to be kept where the watermark has gone far beyond', () => {
    const groupBy = new GroupBy(pipeline);
    step(groupBy, 0);
    expect(written(pass(groupBy, 30))).toEqual([['0', null, '0-10000']]);
    expect(groupBy.size).toBe(0);
  });

  it('are known after a restart', () => {
    const groupBy = new GroupBy(pipeline);
    step(groupBy, 0);
    const restored = new GroupBy(pipeline);
    for (const { changelogKey, changelogValue } of pass(groupBy, 12)) restored.restore(changelogKey, changelogValue);
    restored.advanceStreamTime(12_000);
    expect(step(restored, 5)).toBe(1);
  });

  it('never reach a session that is forgotten, in however many files they come nearer to it', () => {
    const groupBy = new GroupBy(pipeline);
    step(groupBy, 0);
    pass(groupBy, 30); // [0, 10) is closed and forgotten
    step(groupBy, 20.5, 30, 39, 48);
    pass(groupBy, 31);
    expect(step(groupBy, 11)).toBe(0);
    pass(groupBy, 31);
    expect(step(groupBy, 10)).toBe(0); // exactly two gaps before the watermark at which the open one began
    expect(step(groupBy, 9.999)).toBe(1);
    pass(groupBy, 31);
    expect(step(groupBy, 5)).toBe(1);
    expect(sessions(groupBy)).toEqual([[10, 58, 6]]);
  });
});
