// Which headers a pipeline's file may have.
import { parsePipelineFile } from '#contracts';
import { headerProblems } from './header.js';

const pipeline = parsePipelineFile(
  `
name: p
source:
  columns:
    cidade: { type: string, required: true }
    valor: { type: decimal }
views:
  v:
    group_by: [cidade]
    window: { type: upload }
    features: { n: { count: "*" } }
    redis: { key: "{cidade}" }
`,
  'p.yaml',
);
const codes = (header: string[]) => headerProblems(pipeline, header).map(({ code, columns }) => [code, columns]);

describe('headerProblems', () => {
  it('allows any order and columns that are not declared', () => {
    expect(codes(['x', 'valor', '__proto__', 'cidade'])).toEqual([]);
  });

  it.each<[string, string[], unknown]>([
    ['missing', ['valor', 'x'], [['missing_column', ['cidade']]]],
    ['all missing', ['a;b'], [['missing_column', ['cidade', 'valor']]]],
    ['named twice', ['cidade', 'valor', 'cidade'], [['duplicate_column', ['cidade']]]],
    ['not declared and named twice', ['cidade', 'valor', 'x', 'x', 'x'], [['duplicate_column', ['x']]]],
    ['without a name', ['cidade', '', 'valor', ''], [['empty_column', []]]],
    [
      'several at once',
      ['cidade', 'cidade', ''],
      [
        ['missing_column', ['valor']],
        ['duplicate_column', ['cidade']],
        ['empty_column', []],
      ],
    ],
  ])('%s', (_, header, expected) => {
    expect(codes(header)).toEqual(expected);
  });

  it('says where columns without a name stand, and which names nearly fit', () => {
    expect(headerProblems(pipeline, ['Cidade ', 'valor', ''])).toEqual([
      {
        code: 'missing_column',
        columns: ['cidade'],
        message:
          'the header lacks "cidade"; it has "Cidade ", "valor", "" (names must be equal in case and spaces: look at "Cidade ")',
      },
      { code: 'empty_column', columns: [], message: 'the header has no name for column number 3: name or remove it' },
    ]);
  });

  it('bounds the number of columns, and its own messages', () => {
    const names = Array.from({ length: 998 }, (_, i) => `${'x'.repeat(100)}${i}`);
    expect(codes(['cidade', 'valor', ...names])).toEqual([]);
    expect(codes(['cidade', 'valor', 'y', ...names])).toEqual([['too_many_columns', []]]);
    expect(headerProblems(pipeline, ['cidade', ...names])[0]!.message.length).toBeLessThan(2_000);
  });

  it('names the columns that are not declared, where the pipeline rejects them', () => {
    const strict = { ...pipeline, csv: { ...pipeline.csv, unknownColumns: 'reject' as const } };
    expect(headerProblems(strict, ['valor', 'cidade'])).toEqual([]);
    expect(headerProblems(strict, ['valor', 'x', 'cidade', '', '__proto__'])).toEqual([
      {
        code: 'unknown_column',
        columns: ['x', '__proto__'],
        message: 'the header has "x", "__proto__", which the pipeline does not declare and rejects',
      },
      expect.objectContaining({ code: 'empty_column' }),
    ]);
  });
});
