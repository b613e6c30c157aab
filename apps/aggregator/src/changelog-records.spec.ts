// A pipeline file may only go on from state that it fits; the message says what changed and what to do.
import { assertSamePipeline, ChangedPipelineError } from './changelog-records.js';

const stored = { key: ['city'], partitions: 4, views: { daily: 'a', total: 'b' } };

describe('assertSamePipeline', () => {
  it('accepts the same', () => {
    expect(() => assertSamePipeline('sales', stored, structuredClone(stored))).not.toThrow();
  });

  it.each([
    ['key columns', { ...stored, key: ['state', 'city'] }, 'the key columns were city and are now state, city'],
    ['partitions', { ...stored, partitions: 8 }, 'there were 4 partitions and are now 8'],
    ['a view', { ...stored, views: { ...stored.views, daily: 'c' } }, 'view daily has changed'],
    ['a new view', { ...stored, views: { ...stored.views, hourly: 'c' } }, 'view hourly is new'],
    ['a removed view', { ...stored, views: { daily: 'a' } }, 'view total is gone'],
  ])('refuses another: %s', (_, now, reason) => {
    let error: unknown;
    try {
      assertSamePipeline('sales', stored, now);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ChangedPipelineError);
    expect(error).toMatchObject({ code: 'pipeline_changed', retriable: false });
    expect((error as Error).message).toContain(reason);
    expect((error as Error).message).toContain('Undo the change');
  });
});
