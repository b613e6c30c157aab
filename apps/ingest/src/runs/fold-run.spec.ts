import fc from 'fast-check';
import { ENDED_STATES, type Report, type StoredRun } from '#contracts';
import { foldRun, newRun, type RunEvent } from './fold-run.js';

const fresh = (): StoredRun =>
  newRun({ id: 'R', pipeline: 'p', pipelineText: 'name: p', fileName: null, saveToDb: true, createdAtMs: 0 });
const fold = (...events: RunEvent[]): StoredRun => events.reduce(foldRun, fresh());
const stateOf = (run: StoredRun, name: string) => run.steps.find((step) => step.name === name)!.state;
const report = (partition: number, more: Partial<Report> = {}): Report => ({
  upload: 'R',
  pipeline: 'p',
  stage: 'rows',
  partition,
  sequence: 1,
  written: 2,
  superseded: 0,
  failed: 0,
  failed_keys: [],
  late: 1,
  late_by_view: { por_dia: 1 },
  aggregated_at: 50,
  ...more,
});

const received: RunEvent = { type: 'received', sha256: 'abc', bytes: 9, at: 10 };
const checked: RunEvent = {
  type: 'checked',
  rows: { read: 3, accepted: 2, rejected: 1 },
  checks: [],
  dialect: { encoding: 'latin1', bomBytes: 0, delimiter: ';', decimalMark: ',' },
  evidence: null,
  at: 20,
};
const publishing: RunEvent = { type: 'publishing', sequence: 1, at: 30 };
const published: RunEvent = { type: 'published', published: 2, expects: { rows: 2 }, deadLetters: null, at: 40 };
const way: RunEvent[] = [
  { type: 'step_started', step: 'check_redis', at: 1 },
  { type: 'step_started', step: 'receive', at: 1 },
  { type: 'step_started', step: 'check', at: 2 },
  { type: 'step_done', step: 'check_redis', at: 3 },
  received,
  checked,
  { type: 'queued', order: 1 },
  publishing,
  { type: 'progress', published: 1, deadLetters: { partition: 0, from: '5', to: '6' } },
  published,
  { type: 'reports', reports: [report(0)], at: 60 },
  { type: 'reports', reports: [report(0), report(1, { aggregated_at: 55 })], at: 70 },
];

describe('foldRun', () => {
  it('passes through the states of the contract', () => {
    const states = way.map((_, i) => fold(...way.slice(0, i + 1)).state);
    expect([...new Set(states)]).toEqual([
      'received',
      'checking',
      'queued',
      'publishing',
      'aggregating',
      'writing',
      'completed',
    ]);
    expect(fold(...way).internal.dialect).toMatchObject({ encoding: 'latin1', delimiter: ';' });
    const run = fold(...way);
    expect(run.rows).toEqual({
      read: 3,
      accepted: 2,
      rejected: 1,
      published: 2,
      late: 2,
      late_by_view: { por_dia: 2 },
    });
    expect(run).toMatchObject({ features_written: 4, sha256: 'abc', bytes: 9, error: null, attempt: 1 });
    expect(run.steps.map((step) => step.state)).toEqual(Array.from({ length: 6 }, () => 'done'));
    expect(run.steps.find((step) => step.name === 'aggregate')!.ended_at).toBe(new Date(55).toISOString());
    expect(run.internal).toMatchObject({ pipeline_text: null, queued_at: null, dead_letters: { from: '5', to: '6' } });
  });

  it('does not change an ended run, whatever comes', () => {
    const late: RunEvent[] = [...way, { type: 'interrupted', at: 99 }, { type: 'resumed', at: 99 }];
    fc.assert(
      fc.property(fc.shuffledSubarray(late), (events) => {
        const ended = fold(...way);
        expect(ENDED_STATES.has(ended.state)).toBe(true);
        for (const event of events) expect(foldRun(ended, event)).toBe(ended);
      }),
    );
  });

  it('completes with the last report that is due, not before', () => {
    const before = way.slice(0, 10);
    expect(fold(...before, { type: 'reports', reports: [], at: 60 }).state).toBe('aggregating');
    expect(fold(...before, { type: 'reports', reports: [report(1)], at: 60 }).state).toBe('writing');
  });

  it('counts tries of the Redis check, and fails what was running', () => {
    const retried: RunEvent = { type: 'step_retried', step: 'check_redis', message: 'away' };
    const run = fold(way[0]!, retried, retried, {
      type: 'ended',
      state: 'failed',
      error: { code: 'redis_away', message: 'Redis did not answer', retriable: true },
      at: 9,
    });
    expect(run.steps[0]).toMatchObject({ attempt: 3, state: 'failed', message: 'Redis did not answer' });
    expect(stateOf(run, 'publish')).toBe('skipped');
    expect(run.ended_at).toBe(new Date(9).toISOString());
  });

  it('marks the check of a refused file', () => {
    const error = { code: 'checks_failed', message: 'too many', retriable: false };
    const run = fold(...way.slice(0, 6), { type: 'ended', state: 'rejected', error, at: 25 });
    expect([run.state, stateOf(run, 'check'), stateOf(run, 'publish')]).toEqual(['rejected', 'failed', 'skipped']);
    expect(run.steps.find((step) => step.name === 'check')).toMatchObject({ message: 'too many' });
  });

  it('fails with the keys that Redis could not take, the first hundred', () => {
    const keys = Array.from({ length: 80 }, (_, n) => `k${n}`);
    const bad = [report(0, { failed: 80, failed_keys: keys }), report(1, { failed: 80, failed_keys: keys })];
    const run = fold(...way.slice(0, 10), { type: 'reports', reports: bad, at: 70 });
    expect(run).toMatchObject({ state: 'failed', error: { code: 'redis_wrong_type', retriable: false } });
    expect(run.error!.keys).toHaveLength(100);
    expect([stateOf(run, 'aggregate'), stateOf(run, 'write')]).toEqual(['done', 'failed']);
  });

  it('is interrupted and resumed', () => {
    const interrupted = fold(...way.slice(0, 9), { type: 'interrupted', at: 50 });
    expect(interrupted).toMatchObject({ state: 'interrupted', ended_at: null, internal: { queued_at: null } });
    expect(stateOf(interrupted, 'publish')).toBe('failed');
    const resumed = [checked, { type: 'queued', order: 7 }, { ...publishing, sequence: 3 }, published] as RunEvent[];
    const run = [{ type: 'resumed', at: 60 } as RunEvent, ...resumed].reduce(foldRun, interrupted);
    expect(run).toMatchObject({ state: 'aggregating', attempt: 2, internal: { sequence: 3 } });
    expect(run.steps.find((step) => step.name === 'publish')).toMatchObject({ state: 'done', attempt: 2 });
  });

  it('rehearses without publishing or writing', () => {
    const run = fold(
      received,
      checked,
      { type: 'rehearsing', at: 30 },
      {
        type: 'rehearsed',
        parts: { partition: 0, from: '1', to: '2' },
        late: { late: 2, late_by_view: { por_dia: 2 } },
        at: 40,
      },
    );
    expect(run).toMatchObject({ state: 'completed', rows: { published: 0 }, internal: { parts: { from: '1' } } });
    expect(['publish', 'aggregate', 'write'].map((name) => stateOf(run, name))).toEqual(['skipped', 'done', 'skipped']);
  });
});
