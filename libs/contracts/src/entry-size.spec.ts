// A view whose entry could exceed 64 KiB is refused, with what takes so much.
import { type PipelineFileError, parsePipelineFile } from './pipeline-file.js';

const problemsOf = (features: string): readonly string[] => {
  const text = `
name: lojas
source:
  columns: { cidade: { type: string, required: true }, valor: { type: decimal } }
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
const many = (n: number, feature: string) => Array.from({ length: n }, (_, i) => `f${i}: ${feature}`).join(', ');

describe('the size of an entry', () => {
  it.each([
    [3, '{ approx_quantile: { column: valor, q: 0.5 } }'],
    [2, '{ top_k: { column: cidade, k: 100 } }'],
    [15, '{ last: cidade }'],
    [200, '{ stddev: valor }'],
  ])('allows %i of %s', (n, feature) => {
    expect(problemsOf(many(n, feature))).toEqual([]);
  });

  it('refuses what could exceed 64 KiB, and says the way out', () => {
    expect(problemsOf(many(3, '{ top_k: { column: cidade, k: 5 } }'))).toEqual([
      '9 views.por_cidade.features: may take 86176 bytes for one group, at most 65536 are allowed: give ' +
        'some of them to a second view of the same group_by (top_k takes up to 28704)',
    ]);
    expect(problemsOf(many(16, '{ first: cidade }'))).toHaveLength(1);
  });
});
