// What is made from the schema of the pipeline file is as the code says: `npm run docs` writes it anew.
import { pipelineJsonSchema, pipelineReference } from '#contracts';
import { readFileSync } from 'node:fs';

describe('made by `npm run docs`', () => {
  it('docs/pipeline.schema.json', () => {
    const text = readFileSync('docs/pipeline.schema.json', 'utf8');
    expect(text).toBe(`${JSON.stringify(pipelineJsonSchema(), null, 2)}\n`);
  });

  it('docs/pipeline-reference.md', () => {
    expect(readFileSync('docs/pipeline-reference.md', 'utf8')).toBe(pipelineReference());
  });

  it('tells of every key, and says what each is for', () => {
    const page = pipelineReference();
    for (const key of ['delimiter', 'unknown_columns', 'approx_quantile', 'on_missing_reference', 'dead_letter']) {
      expect(page).toContain(`| \`${key}\``);
    }
    const source = page.slice(page.indexOf('## `source`'), page.indexOf('## `views.NAME`'));
    expect(source.match(/^\|[^|]+\|[^|]+\|[^|]*\| {2}\|$/gm)).toBeNull();
  });
});
