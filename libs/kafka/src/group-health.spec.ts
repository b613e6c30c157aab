// What health says of tasks that are not ready, and what the log says of a restore.
import { jest } from '@jest/globals';
import type { TaskStatus } from './partition-task.js';
import { groupsNotReady, logTaskEvent } from './group-health.js';
import { RestoreProgress, restoringText } from './restore-progress.js';

const task = (status: Partial<TaskStatus>): TaskStatus => ({
  partition: 2,
  state: 'acquiring',
  next: null,
  highWatermark: null,
  ...status,
});
const reasonsOf = (...tasks: TaskStatus[]): Promise<string[]> =>
  groupsNotReady({ checks: {}, groups: [{ group: 'sales', joined: true, lastHeartbeatAtMs: 0, tasks }] });

describe('groupsNotReady', () => {
  it('says how far a restore is, how fast, and what failed before it', async () => {
    const restoring = { percent: 43, records: 800_000, seconds: 2 };
    expect(await reasonsOf(task({ restoring }))).toEqual([
      'task_acquiring: sales/2 (restoring 43 %, 400000 records/s)',
    ]);
    expect(await reasonsOf(task({ restoring, error: 'fenced' }))).toEqual([
      'task_acquiring: sales/2 (restoring 43 %, 400000 records/s; fenced)',
    ]);
  });

  it('says why a task halted, and nothing of one that is ready', async () => {
    const halted = task({ state: 'halted', error: 'offsets 3 to 9 are gone' });
    expect(await reasonsOf(halted, task({ state: 'ready' }), task({}))).toEqual([
      'task_halted: sales/2 (offsets 3 to 9 are gone)',
      'task_acquiring: sales/2',
    ]);
  });
});

describe('a restore', () => {
  it('knows nothing before its first fetch, then its share of the offsets', () => {
    const restore = new RestoreProgress();
    expect(restore.now()).toBeNull();
    restore.note({ start: 100n, next: 150n, end: 300n, records: 10 });
    expect(restore.now()).toMatchObject({ percent: 25, records: 10 });
    restore.note({ start: 300n, next: 300n, end: 300n, records: 0 });
    expect(restore.now()).toMatchObject({ percent: 100 });
  });

  it('is told to the log now and then, not at each fetch', () => {
    const restore = new RestoreProgress();
    restore.note({ start: 0n, next: 1n, end: 2n, records: 1 });
    expect(restore.due()).toBeNull();
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + 6_000);
    expect(restore.due()).toMatchObject({ percent: 50 });
    expect(restore.due()).toBeNull();
    clock.mockRestore();
  });

  it('that has just begun has no speed yet', () => {
    expect(restoringText({ percent: 0, records: 5, seconds: 0 })).toBe('restoring 0 %, 0 records/s');
  });

  it('is a line of the log', () => {
    const lines: unknown[][] = [];
    const info = (...line: unknown[]): void => void lines.push(line);
    const progress = { percent: 10, records: 7, seconds: 1 };
    logTaskEvent({ debug: info, info, warn: info, error: info }, 'sales', {
      kind: 'restoring',
      partition: 1,
      progress,
    });
    expect(lines).toEqual([['task restoring', { group: 'sales', partition: 1, progress }]]);
  });
});
