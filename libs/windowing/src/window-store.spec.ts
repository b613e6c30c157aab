// The store against a plain list of entries: same contents, same windows due, in the order of their ends.
import fc from 'fast-check';
import { fixedWindows } from './fixed-windows.js';
import { WindowStore, type Entry } from './window-store.js';

const spec = fixedWindows({ type: 'tumbling', sizeMs: 10, graceMs: 0, timeZone: null, emit: 'updates' });
const entry = (upload: string): Entry => ({ upload, accumulators: [] });

describe('WindowStore', () => {
  it('puts, replaces, gets and deletes', () => {
    const store = new WindowStore(spec);
    store.put(0, 'a', entry('u1'));
    store.put(0, 'a', entry('u2'));
    store.put(10, 'a', entry('u1'));
    expect([store.size, store.get(0, 'a')?.upload, store.get(0, 'b'), store.get(20, 'a')]).toEqual([
      2,
      'u2',
      undefined,
      undefined,
    ]);
    store.delete(0, 'a');
    store.delete(0, 'a');
    store.delete(0, 'b');
    expect([store.size, [...store.ofWindow(0)], [...store].map(({ id }) => id)]).toEqual([1, [], [10]]);
  });

  it('never closes windows that are not of time', () => {
    const store = new WindowStore(null);
    store.put('u1', 'a', entry('u1'));
    expect([...store.closedBy(Number.MAX_SAFE_INTEGER)]).toEqual([]);
    expect([...store.ofWindow('u1')].map(({ group }) => group)).toEqual(['a']);
  });

  it('closes by end, whatever the order in which windows were opened, emptied and opened again', () => {
    const action = fc.record({
      kind: fc.constantFrom('put', 'put', 'delete', 'scan'),
      id: fc.integer({ min: -5, max: 15 }).map((n) => n * 10),
      group: fc.constantFrom('a', 'b'),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const store = new WindowStore(spec);
        const model = new Set<string>();
        for (const { kind, id, group } of actions) {
          if (kind === 'put') {
            store.put(id, group, entry('u'));
            model.add(`${id} ${group}`);
          } else if (kind === 'delete') {
            store.delete(id, group);
            model.delete(`${id} ${group}`);
          } else {
            const ids = [...new Set([...model].map((key) => Number(key.split(' ')[0])))];
            const due = ids.filter((start) => start + 10 <= id).sort((a, b) => a - b);
            const closed = [...store.closedBy(id)];
            expect([...new Set(closed.map((one) => one.id))]).toEqual(due);
            expect(closed).toHaveLength([...model].filter((key) => due.includes(Number(key.split(' ')[0]))).length);
          }
          expect(store.size).toBe(model.size);
        }
      }),
    );
  });

  it('says nothing is due without a watermark', () => {
    const store = new WindowStore(spec);
    store.put(0, 'a', entry('u1'));
    expect([...store.closedBy(null)]).toEqual([]);
    expect([...store.closedBy(9)]).toEqual([]);
    expect([...store.closedBy(10)].map(({ id }) => id)).toEqual([0]);
  });
});
