// The store of sessions against a plain list: same contents, same sessions due, in the order of their ends.
import fc from 'fast-check';
import { SessionStore, type SessionEntry } from './session-store.js';

const entry = (endMs: number): SessionEntry => ({
  upload: 'u',
  accumulators: [],
  endMs,
  floorMs: null,
  floorEpoch: 0,
  sinceMs: null,
  isClosed: false,
});

describe('SessionStore', () => {
  it('keeps the sessions of a group by start, replaces and deletes them', () => {
    const store = new SessionStore(3, true);
    for (const start of [20, 0, 10]) store.put(start, 'a', entry(start + 5));
    store.put(0, 'b', entry(3));
    store.put(10, 'a', entry(18));
    expect(store.of('a').map(({ startMs, entry }) => [startMs, entry.endMs])).toEqual([
      [0, 5],
      [10, 18],
      [20, 25],
    ]);
    expect([store.size, store.get(10, 'a')?.endMs, store.get(11, 'a'), store.of('c')]).toEqual([4, 18, undefined, []]);
    store.delete(10, 'a');
    store.delete(10, 'a');
    store.delete(0, 'b');
    expect([store.size, [...store].map(({ id, group }) => [group, id])]).toEqual([
      2,
      [
        ['a', 0],
        ['a', 20],
      ],
    ]);
  });

  it('never closes anything where grace is unlimited', () => {
    const store = new SessionStore(3, false);
    store.put(0, 'a', entry(5));
    expect([...store.closedBy(null), ...store.closedBy(100)]).toEqual([]);
  });

  it('closes by end, whatever was put, grown, deleted or only looked at before', () => {
    const action = fc.record({
      kind: fc.constantFrom('put', 'put', 'grow', 'delete', 'scan', 'peek'),
      start: fc.integer({ min: -5, max: 15 }),
      by: fc.integer({ min: 1, max: 9 }),
      group: fc.constantFrom('a', 'b'),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const store = new SessionStore(3, true);
        const model = new Map<string, { group: string; start: number; end: number }>();
        for (const { kind, start, by, group } of actions) {
          const known = model.get(`${group}${start}`);
          if (kind === 'delete') {
            store.delete(start, group);
            model.delete(`${group}${start}`);
          } else if (kind === 'put' || (kind === 'grow' && known)) {
            const end = (known?.end ?? start) + by;
            store.put(start, group, entry(end));
            model.set(`${group}${start}`, { group, start, end });
          } else if (kind === 'peek') {
            // A scan that stops in between, as one with a limit does.
            for (const _ of store.closedBy(start)) break;
          } else {
            const due = [...model.values()]
              .filter(({ end }) => end <= start)
              .sort((a, b) => a.end - b.end || a.start - b.start || (a.group < b.group ? -1 : 1));
            const closed = [...store.closedBy(start)];
            expect(closed.map(({ id, group, entry }) => ({ group, start: id, end: entry.endMs }))).toEqual(due);
          }
          expect(store.size).toBe(model.size);
        }
      }),
      { numRuns: 300 },
    );
  });
});
