// A window's id as changelog keys hold it.
import { fixedWindows } from './fixed-windows.js';
import { parseWindowId, windowStartMs } from './window.js';

const shared = { graceMs: null, emit: 'updates' } as const;
const day = fixedWindows({ type: 'tumbling', sizeMs: 86_400_000, timeZone: null, ...shared });
const local = fixedWindows({ type: 'tumbling', sizeMs: 86_400_000, timeZone: 'America/Sao_Paulo', ...shared });
const hopping = fixedWindows({ type: 'hopping', sizeMs: 3_000, advanceMs: 1_000, timeZone: null, ...shared });

describe('window ids', () => {
  it('are the start for windows of time', () => {
    expect([windowStartMs(-86_400_000), windowStartMs('u1'), windowStartMs('')]).toEqual([-86_400_000, null, null]);
  });

  it('are read back from their text', () => {
    expect(parseWindowId('tumbling', day, '-86400000')).toBe(-86_400_000);
    expect(Object.is(parseWindowId('tumbling', day, '-0'), 0)).toBe(true);
    expect(parseWindowId('tumbling', local, '10800000')).toBe(10_800_000); // midnight at UTC-3
    expect(parseWindowId('hopping', hopping, '1000')).toBe(1_000);
    expect(parseWindowId('session', null, '-7')).toBe(-7);
    expect(parseWindowId('upload', null, 'u1')).toBe('u1');
    expect(parseWindowId('all_time', null, '')).toBe('');
  });

  it.each([
    ['tumbling', day, ''],
    ['tumbling', day, '1'],
    ['tumbling', day, '1e3'],
    ['tumbling', day, '864000000000000000000'],
    ['tumbling', local, '0'],
    ['hopping', hopping, '1500'],
    ['session', null, '1.5'],
    ['upload', null, ''],
    ['all_time', null, '0'],
  ] as const)('are null where the text fits no window of the kind %s: %j', (type, fixed, text) => {
    expect(parseWindowId(type, fixed, text)).toBeNull();
  });
});
