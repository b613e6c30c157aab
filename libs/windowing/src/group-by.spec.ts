// The whole of it on the shipped example's shape: rows in, the digits of the contract out; and the way back.
import { parsePipelineFile, type FeatureRecord } from '#contracts';
import { GroupBy } from './group-by.js';

const pipeline = parsePipelineFile(
  `
name: empresas
source:
  columns:
    cnpj: { type: string, required: true }
    data_abertura: { type: timestamp, required: true }
    cidade: { type: string, required: true }
    capital_social: { type: decimal }
  event_time: data_abertura
views:
  empresas_por_cidade:
    group_by: [cidade]
    window: { type: upload }
    features:
      quantidade_empresas: { count: cnpj }
      capital_social_medio: { avg: capital_social }
      capital_social_total: { sum: capital_social }
    redis: { key: "{cidade}" }
  aberturas_por_dia:
    group_by: [cidade]
    window: { type: tumbling, size: 1d, grace: 1d }
    features: { empresas: { count: "*" } }
    redis: { key: "{view}:{cidade}:{window_start}" }
`,
  'empresas.yaml',
);
const DAY_MS = 86_400_000;

function applied(groupBy: GroupBy, rows: readonly (readonly [string, string | null, number])[]): GroupBy {
  const step = groupBy.beginStep();
  rows.forEach(([cidade, capital_social, time], i) => {
    step.applyRow({ upload: 'u1', row: i + 1, time, cells: { cnpj: String(i), cidade, capital_social } });
  });
  step.commit();
  return groupBy;
}
const ROWS = [
  ['São Paulo', '50000', 0],
  ['São Paulo', '120000', DAY_MS],
  ['Rio de Janeiro', null, 5],
  ['São Paulo', '25000', 5],
] as const;

describe('GroupBy', () => {
  it('computes the example', () => {
    const due = applied(new GroupBy(pipeline), ROWS).due({ upload: 'u1', streamTime: DAY_MS, limit: 10 });
    const records = due.changes.map((change) => JSON.parse(change.feature!.value!) as FeatureRecord);
    expect(records.map((record) => [record.key.cidade, record.features])).toEqual([
      ['São Paulo', { quantidade_empresas: 3, capital_social_medio: '65000', capital_social_total: '195000' }],
      ['Rio de Janeiro', { quantidade_empresas: 1, capital_social_medio: null, capital_social_total: null }],
    ]);
  });

  it('answers every open entry, as a rehearsal does', () => {
    const records = [...applied(new GroupBy(pipeline), ROWS).results()];
    expect(records.map(({ view, window, final }) => [view, window.start, final])).toEqual([
      ['empresas_por_cidade', null, true],
      ['empresas_por_cidade', null, true],
      ['aberturas_por_dia', 0, false],
      ['aberturas_por_dia', 0, false],
      ['aberturas_por_dia', DAY_MS, false],
    ]);
    expect(records[2]).toEqual({
      view: 'aberturas_por_dia',
      key: { cidade: 'São Paulo' },
      window: { type: 'tumbling', start: 0, end: DAY_MS },
      features: { empresas: 2 },
      final: false,
      upload: 'u1',
      stream_time: null,
    });
  });

  it('knows its stream time, watermarks and size', () => {
    const groupBy = applied(new GroupBy(pipeline), ROWS);
    expect([groupBy.streamTime, groupBy.watermark('aberturas_por_dia'), groupBy.size]).toEqual([null, null, 5]);
    groupBy.advanceStreamTime(3 * DAY_MS);
    groupBy.advanceStreamTime(null);
    groupBy.advanceStreamTime(DAY_MS);
    expect([groupBy.streamTime, groupBy.watermark('aberturas_por_dia')]).toEqual([3 * DAY_MS, 2 * DAY_MS]);
    expect(groupBy.watermark('empresas_por_cidade')).toBeNull();
    expect(() => groupBy.watermark('x')).toThrow('no view "x"');
  });

  it('is restored from its changelog, with replaced and deleted entries', () => {
    const groupBy = new GroupBy(pipeline);
    groupBy.restore('empresas_por_cidade\u0000A\u0000u1', '["u1",1,null,null]');
    groupBy.restore('empresas_por_cidade\u0000A\u0000u1', '["u1",2,["10",2],"10"]');
    groupBy.restore('aberturas_por_dia\u0000A\u00000', '["u1",1]');
    groupBy.restore('aberturas_por_dia\u0000A\u00000', null);
    groupBy.restore('aberturas_por_dia\u0000B\u00000', null);
    expect([...groupBy.results()].map((record) => record.features)).toEqual([
      { quantidade_empresas: 2, capital_social_medio: '5', capital_social_total: '10' },
    ]);
    expect(groupBy.size).toBe(1);
  });

  it.each([
    ['outra\u0000A\u0000u1', '["u1",1]'],
    ['outra\u0000A\u0000u1', null],
    ['empresas_por_cidade\u0000A', '["u1",1,null,null]'],
    ['empresas_por_cidade\u0000A\u0000u1', '["u1",1]'],
    ['aberturas_por_dia\u0000A\u00007', null],
  ])('refuses the changelog record %j', (key, value) => {
    expect(() => new GroupBy(pipeline).restore(key, value)).toThrow(
      expect.objectContaining({ code: 'bad_changelog', retriable: false }),
    );
  });

  it('makes an open step stale when it is restored meanwhile', () => {
    const groupBy = new GroupBy(pipeline);
    const step = groupBy.beginStep();
    groupBy.restore('aberturas_por_dia\u0000A\u00000', '["u1",1]');
    expect(() => step.commit()).toThrow(expect.objectContaining({ code: 'stale_step' }));
  });
});
