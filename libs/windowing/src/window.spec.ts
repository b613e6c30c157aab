// A window's id as changelog keys hold it.
import { parseWindowId, windowEndMs, windowStartMs } from './window.js';

const day = { type: 'tumbling', sizeMs: 86_400_000, graceMs: null, timeZone: null, emit: 'updates' } as const;

describe('window ids', () => {
  it('have a start and an exclusive end for windows of time only', () => {
    expect([windowStartMs(day, -86_400_000), windowEndMs(day, -86_400_000)]).toEqual([-86_400_000, 0]);
    expect([windowStartMs({ type: 'upload' }, 'u1'), windowEndMs({ type: 'upload' }, 'u1')]).toEqual([null, null]);
    expect([windowStartMs({ type: 'all_time' }, ''), windowEndMs({ type: 'all_time' }, '')]).toEqual([null, null]);
  });

  it('are read back from their text', () => {
    expect(parseWindowId(day, '-86400000')).toBe(-86_400_000);
    expect(Object.is(parseWindowId(day, '-0'), 0)).toBe(true);
    expect(parseWindowId({ type: 'upload' }, 'u1')).toBe('u1');
    expect(parseWindowId({ type: 'all_time' }, '')).toBe('');
  });

  it.each([
    [day, ''],
    [day, '1'],
    [day, '1e3'],
    [day, '864000000000000000000'],
    [{ type: 'upload' } as const, ''],
    [{ type: 'all_time' } as const, '0'],
  ])('are null where the text fits no window of %j: %j', (spec, text) => {
    expect(parseWindowId(spec, text)).toBeNull();
  });
});
