import { LeaseWatch, SILENCE_MS, type LeaseRecord } from './lease-watch.js';
import { hasEnded, ownIdentity } from './process-identity.js';

const held = (holder: string, pid = 1): LeaseRecord => ({
  holder,
  process: { space: 'elsewhere', pid, started: null },
  state: 'held',
});

describe('LeaseWatch', () => {
  let ended: number[];
  let watch: LeaseWatch;
  beforeEach(() => {
    ended = [];
    watch = new LeaseWatch((process) => ended.includes(process.pid));
  });
  /** Looks once a second from `fromMs`, finding nothing; answers when it is free, or null. */
  const lookUntilFree = (fromMs: number, seconds: number): number | null => {
    for (let n = 0; n <= seconds; n++) {
      watch.look([], fromMs + n * 1_000);
      if (watch.isFree) return fromMs + n * 1_000;
    }
    return null;
  };

  it('is not free before the first look, and free where nobody ever was', () => {
    expect(watch.isFree).toBe(false);
    watch.look([], 0);
    expect([watch.isFree, watch.holder]).toEqual([true, null]);
  });

  it('is free once the holder has been silent for long enough, counted from the first look', () => {
    watch.look([held('a')], 5_000);
    expect([watch.isFree, watch.holder]).toEqual([false, 'a']);
    expect(lookUntilFree(6_000, 3)).toBeNull();
    watch.look([held('a'), held('a')], 10_000);
    expect(lookUntilFree(11_000, 30)).toBe(10_000 + SILENCE_MS);
  });

  it('is free at once when the holder has let go, or its process has ended', () => {
    watch.look([held('a'), { ...held('a'), state: 'released' }], 0);
    expect([watch.isFree, watch.holder]).toEqual([true, null]);
    watch.look([held('b', 7)], 1_000);
    expect(watch.isFree).toBe(false);
    ended.push(7);
    expect(watch.isFree).toBe(true);
  });

  it('has heard no silence while it could not look', () => {
    watch.look([held('a')], 0);
    watch.look([], 1_000);
    watch.look([], 60_000);
    expect(watch.isFree).toBe(false);
    expect(lookUntilFree(61_000, 30)).toBe(60_000 + SILENCE_MS);
  });
});

describe('hasEnded', () => {
  it('knows of processes here: this one, one that is gone, one whose number is used again', () => {
    const own = ownIdentity();
    expect(hasEnded(own)).toBe(false);
    expect(hasEnded({ ...own, pid: 2 ** 22 + 1 })).toBe(true);
    if (own.started !== null) expect(hasEnded({ ...own, started: '1' })).toBe(true);
  });

  it('knows nothing of processes elsewhere', () => {
    expect(hasEnded({ ...ownIdentity(), space: 'elsewhere', pid: 2 ** 22 + 1 })).toBe(false);
  });
});
