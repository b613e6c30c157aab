import { parsePipelineFile, type CheckSpec, type StoredRun } from '#contracts';
import { readFileSync } from 'node:fs';
import { foldRun, newRun } from '../runs/fold-run.js';
import { References } from './references.js';

const pipeline = parsePipelineFile(readFileSync('pipelines/empresas.yaml', 'utf8'), 'empresas.yaml');
const RANGE = { partition: 0, from: '0', to: '1' };

/** A run of day `n` as it stands when its rows have gone in; `acceptedOn`: the day on which it passed its checks. */
function accepted(
  n: number,
  change: Partial<StoredRun> = {},
  internal: Partial<StoredRun['internal']> = {},
  acceptedOn = n,
): StoredRun {
  const created = { pipeline: 'empresas', pipelineText: '', fileName: null, saveToDb: true };
  const id = `01J0000000000000000000000${n}`;
  const run = newRun({ ...created, id, createdAtMs: Date.UTC(2024, 0, n), runDate: `2024-01-0${n}` });
  const passed = foldRun(run, { type: 'step_done', step: 'check', at: Date.UTC(2024, 0, acceptedOn) });
  return {
    ...passed,
    state: 'completed',
    ...change,
    internal: { ...run.internal, evidence: RANGE, sequence: n, ...internal },
  };
}

function referencesOf(runs: StoredRun[], gone: string[] = []) {
  const byId = new Map(runs.map((run) => [run.id, run]));
  return new References({
    store: { get: (id) => byId.get(id), newest: () => [...byId.keys()].sort().reverse().values() as never },
    parts: { read: (run) => Promise.resolve(gone.includes(run) ? null : { run }) },
    readFile: (file) => Promise.resolve({ missing: `asked for ${file}` }),
  });
}
const now = accepted(9, { state: 'checking' }, { evidence: null, sequence: null });
const find = async (references: References, name: string) => {
  const found = await references.find(name, pipeline, now);
  return 'missing' in found ? found.missing : (found.evidence as unknown as { run: string }).run.at(-1);
};

describe('references', () => {
  const spec = (rest: object) =>
    ({
      name: 'x',
      severity: 'error',
      semantics: 'strict',
      stage: 'file',
      type: 'interval_check',
      ...rest,
    }) as CheckSpec;

  it('names what a check asks for', () => {
    const { nameOf } = referencesOf([]);
    expect([
      nameOf(spec({})),
      nameOf(spec({ reference: 'previous' })),
      nameOf(spec({ days_back: -7 })),
      nameOf(spec({ days_back: 7 })),
      nameOf(spec({ semantics: 'airflow' })),
      nameOf(spec({ semantics: 'airflow', reference: 'previous' })),
      nameOf(spec({ type: 'drift', semantics: 'airflow' })),
      nameOf(spec({ reference: { file: 'a.csv' } })),
    ]).toEqual(['previous', 'previous', 'day 7', 'day 7', 'day 7', 'previous', 'previous', '{"file":"a.csv"}']);
  });

  it('takes the upload that was accepted last, whichever was created last', async () => {
    expect(await find(referencesOf([accepted(1), accepted(2), accepted(3, {}, {}, 1)]), 'previous')).toBe('2');
    const waiting = accepted(1, { state: 'queued' }, { sequence: null, queued_at: 1 }, 3);
    expect(await find(referencesOf([accepted(2), waiting]), 'previous')).toBe('1');
    const references = referencesOf([accepted(1), accepted(2)]);
    references.accepted(accepted(1));
    expect(await find(references, 'previous')).toBe('1');
  });

  it.each([
    ['a rehearsal', accepted(5, { save_to_db: false })],
    ['a refused file', accepted(5, { state: 'rejected' }, { sequence: null })],
    ['a cancelled one', accepted(5, { state: 'cancelled' })],
    ['one that failed before its first row', accepted(5, { state: 'failed' }, { sequence: null })],
    ['one that is still being checked', accepted(5, { state: 'checking' }, { sequence: null })],
    ['the run itself', { ...now, internal: { ...now.internal, evidence: RANGE, sequence: 9 } }],
  ])('never takes %s', async (_what, run) => {
    expect(await find(referencesOf([accepted(1), run]), 'previous')).toBe('1');
    expect(await find(referencesOf([run]), 'previous')).toBe('empresas has no earlier accepted upload');
  });

  it('takes one whose rows went in, whatever Redis said', async () => {
    const rows = { read: 1, accepted: 1, rejected: 0, published: 1, late: 0 };
    expect(await find(referencesOf([accepted(1), accepted(5, { state: 'failed', rows })]), 'previous')).toBe('5');
  });

  it('finds the upload of exactly a day', async () => {
    const references = referencesOf([accepted(1), accepted(2), accepted(3)]);
    expect(await find(references, 'day 7')).toBe('2');
    expect(await find(references, 'day 5')).toBe('empresas has no accepted upload of 2024-01-04');
    references.accepted(accepted(1, {}, { run_date: '2024-01-04' }));
    expect(await find(references, 'day 5')).toBe('1');
  });

  it('finds an upload and a file by name, and says what is gone', async () => {
    const references = referencesOf([accepted(1), accepted(2)], [accepted(2).id]);
    expect(await find(references, JSON.stringify({ upload: accepted(1).id }))).toBe('1');
    expect(await find(references, JSON.stringify({ upload: accepted(4).id }))).toContain('there is no accepted upload');
    expect(await find(references, JSON.stringify({ file: 'a.csv' }))).toBe('asked for a.csv');
    expect(await find(references, 'previous')).toContain('is gone (retention.runs)');
  });
});
