// Runs come back from their packing as they were, cost little, and every filter finds them in order.
import fc from 'fast-check';
import { ENDED_STATES, RUN_STATES, type RunState, type StoredRun } from '#contracts';
import { foldRun, newRun } from './fold-run.js';
import { PackedRuns } from './packed-runs.js';

function runOf(id: string, pipeline: string, state: RunState): StoredRun {
  const run = newRun({
    id,
    pipeline,
    pipelineText: 'x'.repeat(100),
    fileName: 'é.csv',
    saveToDb: true,
    createdAtMs: 1,
  });
  return { ...run, state, sha256: 'ab'.repeat(32) };
}

describe('PackedRuns', () => {
  it('answers every filter as a scan of all runs would', () => {
    const step = fc.record({
      id: fc.constantFrom(...'ABCDEFGH'),
      state: fc.option(fc.constantFrom(...RUN_STATES), { nil: null }),
    });
    const pipelineOf = (id: string) => (id < 'D' ? 'p' : 'q');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const runs = new PackedRuns();
        const model = new Map<string, StoredRun>();
        for (const { id, state } of steps) {
          if (state === null) {
            runs.delete(id);
            model.delete(id);
          } else {
            const run = runOf(id, pipelineOf(id), state);
            runs.set(run);
            model.set(id, run);
          }
        }
        const newest = [...model.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
        for (const run of newest) expect(runs.get(run.id)).toEqual(run);
        for (const pipeline of [undefined, 'p', 'q']) {
          for (const state of [undefined, ...RUN_STATES]) {
            const fits = (run: StoredRun) =>
              (!pipeline || run.pipeline === pipeline) && (!state || run.state === state);
            const ids = newest.filter(fits).map((run) => run.id);
            expect([...runs.newest({ pipeline, state })]).toEqual(ids);
            expect([...runs.newest({ pipeline, state }, 'D')]).toEqual(ids.filter((id) => id < 'D'));
            expect(runs.olderThan({ pipeline, state }, 'E')).toEqual(ids.filter((id) => id < 'E').reverse());
          }
        }
        const counts = RUN_STATES.map((state) => [state, newest.filter((run) => run.state === state).length] as const);
        expect(runs.countByState()).toEqual(new Map(counts.filter(([, count]) => count > 0)));
      }),
      { numRuns: Number(process.env.CAUDAL_CASES ?? 100) },
    );
  });

  it('packs ended runs small, and only those', () => {
    const run = foldRun(runOf('A', 'empresas', 'received'), {
      type: 'ended',
      state: 'rejected',
      error: { code: 'checks_failed', message: 'refused by max_error_fraction', retriable: false },
      at: 1_700_000_000_000,
    });
    const runs = new PackedRuns();
    runs.set(run);
    const [[, packed]] = [...(runs as unknown as { runs: Map<string, { bytes: Buffer }> }).runs] as [
      [string, { bytes: Buffer }],
    ];
    expect(packed.bytes.length).toBeLessThan(JSON.stringify(run).length / 4);
    expect(runs.get('A')).toEqual(run);
    expect(ENDED_STATES.has(runs.get('A')!.state)).toBe(true);
  });
});
