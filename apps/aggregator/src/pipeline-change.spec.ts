// A pipeline file may only go on from state that it fits; the message says what changed and what to do.
import { assertSameKeys, goesOn, sameViews } from './pipeline-change.js';

const stored = { key: ['city'], partitions: 4, views: { daily: 'a', total: 'b' } };

describe('a stored fingerprint', () => {
  it('takes the same keys, whatever its views', () => {
    expect(() => assertSameKeys('sales', stored, { ...stored, views: {} })).not.toThrow();
  });

  it.each([
    ['key columns', { ...stored, key: ['state', 'city'] }, 'the key columns were city and are now state, city'],
    ['partitions', { ...stored, partitions: 8 }, 'there were 4 partitions and are now 8'],
  ])('refuses other %s', (_, now, reason) => {
    let error: unknown;
    try {
      assertSameKeys('sales', stored, now);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'pipeline_changed', retriable: false, halt: true });
    expect((error as Error).message).toContain(reason);
    expect((error as Error).message).toContain('caudal reset sales');
  });

  it('knows which views go on', () => {
    const now = { views: { daily: 'a', total: 'changed', hourly: 'c' } };
    expect(['daily', 'total', 'hourly'].filter((view) => goesOn(view, stored, now))).toEqual(['daily']);
    expect(sameViews(stored.views, now.views)).toBe(false);
    expect(sameViews(stored.views, { total: 'b', daily: 'a' })).toBe(true);
  });
});
