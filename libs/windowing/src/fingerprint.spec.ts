// The fingerprint: changes with whatever state depends on, and with nothing else.
import { parsePipelineFile } from '#contracts';
import { fingerprint } from './fingerprint.js';

const TEXT = `
name: lojas
source:
  columns:
    cidade: { type: string, required: true }
    valor: { type: decimal }
    outro: { type: string }
views:
  por_hora:
    group_by: [cidade]
    window: { type: tumbling, size: 1h, grace: 2h }
    features: { linhas: { count: "*" }, total: { sum: valor } }
    redis: { key: "{cidade}", ttl: 9d }
`;
const of = (text: string) => fingerprint(parsePipelineFile(text, 'lojas.yaml'), 4);
const changed = (from: string, to: string) => {
  expect(TEXT).toContain(from);
  return of(TEXT.replace(from, to));
};

describe('fingerprint', () => {
  it('is stable text', () => {
    expect(of(TEXT)).toEqual({
      key: ['cidade'],
      partitions: 4,
      views: {
        por_hora:
          '{"group_by":["cidade"],"window":["tumbling",3600000,7200000,null],' +
          '"features":[["linhas","count","*"],["total","sum","valor"]],"types":[["cidade","string"],["valor","decimal"]]}',
      },
    });
  });

  it.each([
    ['size: 1h', 'size: 30m'],
    ['grace: 2h', 'grace: unlimited'],
    ['type: tumbling, size: 1h, grace: 2h', 'type: all_time'],
    ['sum: valor', 'avg: valor'],
    ['count: "*"', 'count: valor'],
    ['total:', 'soma:'],
    ['linhas: { count: "*" }, total: { sum: valor }', 'total: { sum: valor }, linhas: { count: "*" }'],
    ['type: decimal', 'type: integer'],
  ])('differs when %s becomes %s', (from, to) => {
    expect(changed(from, to)).not.toEqual(of(TEXT));
  });

  it.each([
    ['ttl: 9d', 'ttl: 1d'],
    ['key: "{cidade}"', 'key: "x:{cidade}"'],
    ['outro: { type: string }', 'outro: { type: boolean }'],
    ['1h, grace', '60m, grace'],
  ])('stays when %s becomes %s', (from, to) => {
    expect(changed(from, to)).toEqual(of(TEXT));
  });
});
