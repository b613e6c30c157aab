import { foldRun, newRun, type RunEvent } from './fold-run.js';
import { observeRuns } from './observe-runs.js';

describe('observeRuns', () => {
  it('measures each step once, and tells each change of state', () => {
    const measured: [string, number][] = [];
    const told: [string, object][] = [];
    const stepSeconds = { observe: ({ step }: { step: string }, seconds: number) => measured.push([step, seconds]) };
    const listener = observeRuns({ stepSeconds } as unknown as Parameters<typeof observeRuns>[0], {
      info: (fields, message) => told.push([message, fields]),
    });
    let run = newRun({ id: 'R', pipeline: 'p', pipelineText: '', fileName: 'x.csv', saveToDb: true, createdAtMs: 0 });
    listener(run, null);
    const events: RunEvent[] = [
      { type: 'step_started', step: 'receive', at: 1_000 },
      { type: 'received', sha256: 's', bytes: 1, at: 3_500 },
      { type: 'queued', order: 1 },
      { type: 'publishing', sequence: 1, at: 4_000 },
      { type: 'ended', state: 'failed', error: { code: 'gone', message: 'm', retriable: true }, at: 5_000 },
    ];
    for (const event of events) {
      const before = run;
      run = foldRun(run, event);
      listener(run, before);
    }
    expect(measured).toEqual([
      ['receive', 2.5],
      ['publish', 1],
    ]);
    expect(told.map(([message]) => message)).toEqual([
      'run is checking',
      'run is queued',
      'run is publishing',
      'run is failed',
    ]);
    expect(told.at(-1)![1]).toMatchObject({ run: 'R', pipeline: 'p', state: 'failed', code: 'gone' });
  });
});
