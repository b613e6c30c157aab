// One view: how it groups, what it adds.
import { parsePipelineFile, type Cell } from '#contracts';
import { decodeEntry, encodeEntry, encodeFeature } from './entry-change.js';
import { assertCurrent, ViewState } from './view-state.js';
import { ALL_TIME } from './window.js';

const pipeline = parsePipelineFile(
  `
name: lojas
source:
  columns:
    cidade: { type: string, required: true }
    ano: { type: integer, required: true }
    valor: { type: decimal }
views:
  por_ano:
    group_by: [cidade, ano]
    window: { type: all_time }
    features: { linhas: { count: "*" }, valores: { count: valor }, total: { sum: valor } }
    redis: { key: "{cidade}:{ano}" }
`,
  'lojas.yaml',
);
const state = () => new ViewState(pipeline.views[0]!, pipeline);
const row = (cells: Record<string, Cell>) => ({ upload: 'u1', row: 7, time: 0, cells });

describe('ViewState', () => {
  it('writes a group as the rows key is written', () => {
    expect(state().groupOf(row({ cidade: 'São "Paulo"', ano: 2023 }))).toBe('["São \\"Paulo\\"","2023"]');
    const one = new ViewState({ ...pipeline.views[0]!, groupBy: ['cidade'] }, pipeline);
    expect(one.groupOf(row({ cidade: 'São "Paulo"' }))).toBe('São "Paulo"');
    const year = new ViewState({ ...pipeline.views[0]!, groupBy: ['ano'] }, pipeline);
    expect(year.groupOf(row({ ano: 2023 }))).toBe('2023');
  });

  it('keeps once what several features read, and reads each its own', () => {
    const quantile = (name: string, q: number) => ({ name, aggregate: 'approx_quantile' as const, column: 'valor', q });
    const features = [quantile('menor', 0), ...pipeline.views[0]!.features, quantile('maior', 1)];
    const view = new ViewState({ ...pipeline.views[0]!, features }, pipeline);
    const entry = view.newEntry('u1');
    for (const valor of ['3', '1', '2']) view.addRow(entry, row({ cidade: 'a', ano: 1, valor }));
    expect(entry.accumulators).toHaveLength(4);
    const feature = encodeFeature(view, { id: ALL_TIME, group: '["a","1"]', entry, final: false, streamTime: null });
    expect(JSON.parse(feature.value)).toMatchObject({
      features: { menor: '1', linhas: 3, valores: 3, total: '6', maior: '3' },
    });
    const restored = decodeEntry(view, 'k', encodeEntry(view, entry));
    expect(encodeEntry(view, restored)).toBe(encodeEntry(view, entry));
  });

  it.each<Record<string, Cell>>([{ ano: 1 }, { cidade: null, ano: 1 }])(
    'refuses a row without its group: %j',
    (cells) => {
      expect(() => state().groupOf(row(cells))).toThrow(expect.objectContaining({ code: 'bad_row' }));
      expect(() => state().groupOf(row(cells))).toThrow('row 7 of upload u1 has no "cidade"');
    },
  );

  it('adds a row to every feature; a column that the row does not know is empty', () => {
    const view = state();
    const entry = view.newEntry('u1');
    view.addRow(entry, row({ cidade: 'A', ano: 1, valor: '2.5' }));
    view.addRow(entry, row({ cidade: 'A', ano: 1 }));
    view.addRow(entry, row({ cidade: 'A', ano: 1, valor: null }));
    expect(view.aggregates.map((aggregate, i) => aggregate.result(entry.accumulators[i]))).toEqual([3, 1, '2.5']);
  });

  it('clones entries deeply', () => {
    const view = state();
    const entry = view.newEntry('u1');
    const clone = view.cloneEntry(entry);
    view.addRow(clone, row({ valor: '1' }));
    clone.upload = 'u2';
    expect([entry.upload, view.aggregates[2]!.result(entry.accumulators[2])]).toEqual(['u1', null]);
  });
});

describe('bytes', () => {
  it('follow what is put, replaced and deleted, closed sessions too', () => {
    const view = state();
    const entry = view.newEntry('u1');
    view.put('', 'A', entry);
    const one = view.bytes;
    view.put('', 'A', view.cloneEntry(entry));
    expect(view.bytes).toBe(one);
    view.addRow(entry, row({ valor: '1.5' }));
    view.put('', 'B', view.cloneEntry(entry));
    view.put('', 'C', { upload: '', accumulators: [] });
    expect(view.bytes).toBeGreaterThan(2 * one);
    for (const group of ['A', 'B', 'B', 'C', 'D']) view.delete('', group);
    expect(view.bytes).toBe(0);
  });
});

describe('assertCurrent', () => {
  it('refuses what was made from an older state', () => {
    const groupBy = { views: [], streamTime: null, epoch: 0, revision: 3 };
    expect(() => assertCurrent(groupBy, 3)).not.toThrow();
    expect(() => assertCurrent(groupBy, 2)).toThrow(expect.objectContaining({ code: 'stale_step', retriable: false }));
  });
});
