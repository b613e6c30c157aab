// Stream time and watermark.
import { laterOf, watermarkMs } from './stream-time.js';

describe('stream time', () => {
  it('never goes back, and null is none yet', () => {
    expect([laterOf(null, null), laterOf(null, -5), laterOf(-5, null)]).toEqual([null, -5, -5]);
    expect([laterOf(3, 7), laterOf(7, 3)]).toEqual([7, 7]);
  });

  it('gives a watermark to windows of time with a grace only', () => {
    expect(watermarkMs({ type: 'tumbling', sizeMs: 1000, graceMs: 300, timeZone: null, emit: 'updates' }, 1000)).toBe(
      700,
    );
    expect(watermarkMs({ type: 'tumbling', sizeMs: 1000, graceMs: 0, timeZone: null, emit: 'updates' }, 0)).toBe(0);
    expect(
      watermarkMs({ type: 'tumbling', sizeMs: 1000, graceMs: 300, timeZone: null, emit: 'updates' }, null),
    ).toBeNull();
    expect(
      watermarkMs({ type: 'tumbling', sizeMs: 1000, graceMs: null, timeZone: null, emit: 'updates' }, 1000),
    ).toBeNull();
    expect(watermarkMs({ type: 'upload' }, 1000)).toBeNull();
    expect(watermarkMs({ type: 'all_time' }, 1000)).toBeNull();
  });
});
