// Which window a row falls into.
import fc from 'fast-check';
import { windowFor } from './windows-for.js';

const tumbling = (sizeMs: number) =>
  ({ type: 'tumbling', sizeMs, graceMs: null, timeZone: null, emit: 'updates' }) as const;

describe('windowFor', () => {
  it('is the upload itself, or all of time', () => {
    expect(windowFor({ type: 'upload' }, 'u1', 5)).toBe('u1');
    expect(windowFor({ type: 'all_time' }, 'u1', 5)).toBe('');
  });

  it.each([
    [0, 0],
    [999, 0],
    [1000, 1000],
    [-1, -1000],
    [-1000, -1000],
    [-1001, -2000],
  ])('puts %i into the half-open window that begins at %i', (timeMs, startMs) => {
    expect(Object.is(windowFor(tumbling(1000), 'u1', timeMs), startMs)).toBe(true);
  });

  it('holds for every time and size: aligned to the epoch, start <= time < start + size', () => {
    const time = fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 });
    fc.assert(
      fc.property(time, fc.integer({ min: 1_000, max: 31_536_000_000 }), (timeMs, sizeMs) => {
        const startMs = windowFor(tumbling(sizeMs), 'u1', timeMs) as number;
        expect(startMs % sizeMs === 0 && startMs <= timeMs && timeMs < startMs + sizeMs).toBe(true);
      }),
    );
  });

  it.each([Number.NaN, 0.5, undefined])('refuses the time %p', (time) => {
    expect(() => windowFor(tumbling(1000), 'u1', time as number)).toThrow(expect.objectContaining({ code: 'bad_row' }));
  });
});
