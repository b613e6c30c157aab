// What is made from the schema of the pipeline file is as the code says: `npm run docs` writes it anew.
import { pipelineJsonSchema, pipelineReference } from '#contracts';
import { readFileSync } from 'node:fs';

interface Part {
  pattern?: string;
  propertyNames?: { pattern: string };
  minProperties?: number;
  uniqueItems?: boolean;
  properties?: Record<string, Part>;
  additionalProperties?: Part;
}
const at = (schema: object, key: string): Part => (schema as Part).properties![key]!;

describe('made by `npm run docs`', () => {
  it('docs/pipeline.schema.json', () => {
    const text = readFileSync('docs/pipeline.schema.json', 'utf8');
    expect(text).toBe(`${JSON.stringify(pipelineJsonSchema(), null, 2)}\n`);
  });

  it('docs/pipeline-reference.md', () => {
    expect(readFileSync('docs/pipeline-reference.md', 'utf8')).toBe(pipelineReference());
  });

  it('has names and patterns that editors and any engine of regular expressions can check', () => {
    const schema = pipelineJsonSchema();
    const text = JSON.stringify(schema);
    const patterns = [...text.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(([, one]) => JSON.parse(one!) as string);
    expect(patterns.length).toBeGreaterThan(4);
    // Python and others have no classes of Unicode letters, and would refuse the whole schema for one.
    expect(patterns.filter((pattern) => pattern.includes('\\p{'))).toEqual([]);
    const { columns, quote, header } = at(schema, 'source').properties!;
    const { features, group_by: groupBy } = at(schema, 'views').additionalProperties!.properties!;
    const fits = (part: Part, name: string) => new RegExp(part.propertyNames?.pattern ?? part.pattern!, 'u').test(name);
    for (const name of ['cnpj', 'São Paulo', '1a', 'c']) expect(fits(columns!, name)).toBe(true);
    for (const name of ['_x', '', 'a\tb', 'x'.repeat(256)]) expect(fits(columns!, name)).toBe(false);
    for (const name of ['média', 'a.b-c_1']) expect(fits(features!, name)).toBe(true);
    for (const name of ['_x', '1a', 'a b', 'x'.repeat(129), 'a^b']) expect(fits(features!, name)).toBe(false);
    for (const name of ['por_cidade', 'v']) expect(fits(at(schema, 'views'), name)).toBe(true);
    for (const name of ['1v', 'a b', '_v']) expect(fits(at(schema, 'views'), name)).toBe(false);
    for (const name of ["'", '"']) expect(fits(quote!, name)).toBe(true);
    for (const name of ['', 'ab', ' ', '\n']) expect(fits(quote!, name)).toBe(false);
    expect([columns, features, at(schema, 'views')].map((part) => part!.minProperties)).toEqual([1, 1, 1]);
    expect([header, groupBy].map((part) => part!.uniqueItems)).toEqual([true, true]);
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
