import type { Run } from '#contracts';
import { progressText } from './watch-run.js';

const run = (state: Run['state'], accepted: number, published: number): Run =>
  ({ id: 'R', state, rows: { read: accepted, accepted, rejected: 0, published, late: 0 } }) as unknown as Run;

describe('the line that moves while a run is waited for', () => {
  it('tells rows a second and the time left while rows are published', () => {
    expect(progressText(run('publishing', 10_000, 4_000), { ms: 3_000, rows: 1_000 })).toBe(
      'run R: publishing [########------------]  40 % of 10000 rows, 1000 rows/s, 6 s left',
    );
  });

  it('promises nothing before the first rows, and has no share of nothing', () => {
    expect(progressText(run('publishing', 10, 0), { ms: 0, rows: 0 })).toContain('0 % of 10 rows, 0 rows/s');
    expect(progressText(run('publishing', 10, 0), { ms: 0, rows: 0 })).not.toContain('left');
    expect(progressText(run('publishing', 0, 0), { ms: 900, rows: 0 })).toContain('100 % of 0 rows');
  });

  it('tells how long any other state lasts', () => {
    expect(progressText(run('aggregating', 10, 10), { ms: 61_000, rows: 10 })).toBe('run R: aggregating (1 min 1 s)');
  });
});
