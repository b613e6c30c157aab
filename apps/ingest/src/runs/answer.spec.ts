import type { StoredRun } from '#contracts';
import { answerOf } from './answer.js';
import { newRun } from './fold-run.js';

const ID = '01JBX3M5ZJ4V0Z3W8Q5T7R9N2K';
const location = `/v1/runs/${ID}`;

function runOf(state: StoredRun['state'], published: number, retriable = false): StoredRun {
  const run = newRun({ id: ID, pipeline: 'p', pipelineText: '', fileName: null, saveToDb: true, createdAtMs: 0 });
  const error = state === 'failed' ? { code: 'broken', message: 'it broke', retriable } : null;
  return { ...run, state, rows: { ...run.rows, read: 1, accepted: 1, published }, error };
}

describe('answerOf', () => {
  it('says how a run went that was waited for', () => {
    const answer = (run: StoredRun) => answerOf(run, { duplicate: false, waited: true });
    expect(answer(runOf('completed', 1))).toEqual({ status: 200, headers: { location } });
    expect(answer(runOf('writing', 1))).toEqual({ status: 202, headers: { location } });
    expect(() => answer(runOf('failed', 1))).toThrow(expect.objectContaining({ status: 500, code: 'broken' }));
    expect(() => answer(runOf('failed', 0, true))).toThrow(expect.objectContaining({ status: 503 }));
    expect(() => answer(runOf('rejected', 0))).toThrow(expect.objectContaining({ status: 422 }));
    expect(() => answer(runOf('cancelled', 0))).toThrow(expect.objectContaining({ status: 409 }));
  });

  it.each([true, false])('answers known bytes with their run, also one that failed after publishing', (waited) => {
    const answer = (run: StoredRun) => answerOf(run, { duplicate: true, waited });
    for (const state of ['completed', 'failed', 'aggregating'] as const)
      expect(answer(runOf(state, 1))).toEqual({ status: 200, headers: { location } });
  });

  it('does not call bytes known whose run ended before its first row, while somebody waited for it', () => {
    const answer = (run: StoredRun) => answerOf(run, { duplicate: true, waited: true });
    expect(() => answer(runOf('failed', 0, true))).toThrow(expect.objectContaining({ status: 503 }));
    expect(() => answer(runOf('rejected', 0))).toThrow(expect.objectContaining({ status: 422 }));
  });
});
