// A view whose entry could exceed 64 KiB is refused, with what takes so much.
import { type PipelineFileError, parsePipelineFile } from './pipeline-file.js';

const columns = Array.from({ length: 200 }, (_, i) => `c${i}: { type: decimal }`).join(', ');
const problemsOf = (features: string): readonly string[] => {
  const text = `
name: lojas
source:
  columns: { cidade: { type: string, required: true }, ${columns} }
views:
  por_cidade:
    group_by: [cidade]
    window: { type: all_time }
    features: { ${features} }
    redis: { key: "{cidade}" }
`;
  try {
    parsePipelineFile(text, 'lojas.yaml');
    return [];
  } catch (error) {
    return (error as PipelineFileError).problems.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  }
};
/** Of `n` columns, each named where `feature` says COLUMN. */
const many = (n: number, feature: string) =>
  Array.from({ length: n }, (_, i) => `f${i}: ${feature.replace('COLUMN', `c${i}`)}`).join(', ');

describe('the size of an entry', () => {
  it.each([
    [3, '{ approx_quantile: { column: COLUMN, q: 0.5 } }'],
    [2, '{ top_k: { column: COLUMN, k: 100 } }'],
    [15, '{ last: COLUMN }'],
    [200, '{ stddev: COLUMN }'],
  ])('allows %i of %s', (n, feature) => {
    expect(problemsOf(many(n, feature))).toEqual([]);
  });

  it('counts what features share once: quantiles of one column, with all other aggregates beside them', () => {
    const quantiles = [0.01, 0.25, 0.5, 0.75, 0.99].map(
      (q, i) => `q${i}: { approx_quantile: { column: c0, q: ${q} } }`,
    );
    const names = ['count', 'sum', 'avg', 'min', 'max', 'first', 'last', 'variance', 'stddev', 'approx_count_distinct'];
    const others = names.map((name) => `${name}: { ${name}: c0 }`);
    const top = ['t3: { top_k: { column: c0, k: 3 } }', 't9: { top_k: { column: c0, k: 9 } }'];
    expect(problemsOf([...quantiles, ...others, ...top].join(', '))).toEqual([]);
  });

  it('refuses what could exceed 64 KiB, and says the way out', () => {
    expect(problemsOf(many(3, '{ top_k: { column: COLUMN, k: 5 } }'))).toEqual([
      '9 views.por_cidade.features: may take 86176 bytes for one group, at most 65536 are allowed: give ' +
        'some of them to a second view of the same group_by (top_k takes up to 28704)',
    ]);
    expect(problemsOf(many(16, '{ first: COLUMN }'))).toHaveLength(1);
  });
});
