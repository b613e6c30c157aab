// Files of other people's making, through all services: a public office's, poisonous ones, and headers that are refused
// by name. What is accepted and rejected adds up, and what Redis holds is exact.
import type { DeadLetter } from '#contracts';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Stack, type HttpAnswer } from '../harness/stack.js';

const STRICT = `
name: estrito
source:
  columns:
    id: { type: integer, required: true }
    cidade: { type: string, required: true }
    valor: { type: decimal }
  unknown_columns: reject
  max_error_fraction: 1
views:
  por_cidade:
    group_by: [cidade]
    window: { type: upload }
    features: { linhas: { count: "*" }, total: { sum: valor } }
    redis: { key: "estrito:{cidade}" }
`;

describe('any CSV, through all services', () => {
  let stack: Stack;
  let pipelines: string;
  beforeAll(async () => {
    pipelines = await mkdtemp(join(tmpdir(), 'caudal-pipelines-'));
    const cnpj = await readFile('examples/cnpj/cnpj-empresas.yaml', 'utf8');
    await writeFile(join(pipelines, 'cnpj-empresas.yaml'), cnpj);
    await writeFile(join(pipelines, 'estrito.yaml'), STRICT);
    stack = await Stack.start({ pipelinesDir: pipelines });
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(pipelines, { recursive: true, force: true });
  }, 60_000);

  const deadLetters = async (run: HttpAnswer): Promise<DeadLetter[]> => {
    const answer = await stack.request(`/v1/runs/${run.body.id!}/dead-letters?limit=1000`);
    return (answer.body as unknown as { items: DeadLetter[] }).items;
  };

  it("takes a public office's file: no header, latin1, quotes around all, decimal comma", async () => {
    const sample = await readFile('examples/cnpj/empresas-amostra.csv');
    const made = execFileSync(process.execPath, ['examples/cnpj/make-file.mjs'], { encoding: 'buffer' });
    expect(made.equals(sample)).toBe(true);
    // One row more breaks a rule of its own: a company that is there twice.
    const twice = Buffer.from('"10000007";"CÓPIA";"2062";"49";"1,00";"01";""\n', 'latin1');
    const run = await stack.upload(Buffer.concat([sample, twice]), { pipeline: 'cnpj-empresas' });
    expect([run.status, run.body.state, run.body.rows]).toEqual([
      200,
      'completed',
      expect.objectContaining({ read: 201, accepted: 200, rejected: 1, published: 200 }),
    ]);
    expect(await deadLetters(run)).toEqual([
      expect.objectContaining({
        row: 201,
        line: 201,
        column: 'cnpj_basico',
        code: 'unique',
        raw: twice.toString('latin1').trim(),
      }),
    ]);
    const lines = sample.toString('latin1').trim().split('\n');
    const companies = lines.map((line) => line.slice(1, -1).split('";"'));
    for (const size of ['00', '01', '03', '05']) {
      const group = companies.filter((company) => company[5] === size);
      const cents = group.map((company) => BigInt(company[4]!.replace(',', '')));
      const total = cents.reduce((a, b) => a + b, 0n);
      const hash = await stack.hash(`cnpj:porte:${size}`);
      expect(hash).toMatchObject({
        empresas: String(group.length),
        capital_total: plain(total, 2),
        capital_medio: plain(halfEven(total * 10_000n, BigInt(group.length)), 6),
        maior_capital: plain(
          cents.reduce((a, b) => (a > b ? a : b)),
          2,
        ),
        entes_publicos: String(group.filter((company) => company[6] !== '').length),
      });
    }
    const names = (await stack.rows('cnpj-empresas')).map((row) => row['razao_social']);
    expect(names.some((name) => String(name).includes('CONCEIÇÃO'))).toBe(true);
    expect(names.some((name) => String(name).includes('OURO "PRETO"'))).toBe(true);
  }, 120_000);

  it('passes poison: each bad row has its dead letter, the good ones between are counted', async () => {
    const rows: [string, string][] = [
      ['1,Recife,1.5', ''],
      ['2,Recife,NaN', 'type'],
      ['3,Recife,1e309', 'type'],
      ['4,Re\0cife,1', 'nul'],
      ['5,__proto__,2', ''],
      ['6,constructor,3', ''],
      [`7,${'x'.repeat(10_000_000)},1`, 'too_large'],
      ['8,Recife,Infinity', 'type'],
      ['9223372036854775808,Recife,1', 'range'],
      ['10,Recife,"1', 'quote'],
      ['11,Recife', 'ragged'],
      ['12,S\xe3o Paulo,1', 'encoding'],
      ['13,,1', 'required'],
      ['14,Recife,2.25', ''],
    ];
    const file = Buffer.concat([
      Buffer.from('id,cidade,valor\n'),
      ...rows.map(([text]) => Buffer.from(`${text}\n`, 'latin1')),
      Buffer.from('15,São Luís,4\n'),
    ]);
    const run = await stack.upload(file, { pipeline: 'estrito' });
    const bad = rows.flatMap(([, code], index) => (code === '' ? [] : [[index + 1, code]]));
    expect(run.body).toMatchObject({
      state: 'completed',
      rows: { read: rows.length + 1, accepted: rows.length + 1 - bad.length, rejected: bad.length },
    });
    const letters = await deadLetters(run);
    expect(letters.map(({ row, code }) => [row, code])).toEqual(bad);
    expect(letters.find(({ code }) => code === 'too_large')).toMatchObject({ line: 8, raw_truncated: true });
    expect(await stack.hash('estrito:Recife')).toMatchObject({ linhas: '2', total: '3.75' });
    expect(await stack.hash('estrito:__proto__')).toMatchObject({ linhas: '1', total: '2' });
    expect(await stack.hash('estrito:constructor')).toMatchObject({ linhas: '1', total: '3' });
    expect(await stack.hash('estrito:São Luís')).toMatchObject({ linhas: '1', total: '4' });
    // The partitions have moved on: the next file is as good as any.
    const next = await stack.upload('id,cidade,valor\n1,Recife,7\n', { pipeline: 'estrito' });
    expect(next.body.state).toBe('completed');
    expect(await stack.hash('estrito:Recife')).toMatchObject({ linhas: '1', total: '7' });
  }, 120_000);

  it.each<[string, Buffer]>([
    ['a spreadsheet of Excel', Buffer.from('\ufeffvalor;cidade;id\r\n1.234,50;Olinda;1\r\n0,5;Olinda;2\r\n')],
    ['UTF-16 with tabs', Buffer.from('\ufeffcidade\tid\tvalor\nOlinda\t1\t1234.5\nOlinda\t2\t.5\n', 'utf16le')],
    ['lone CR and pipes', Buffer.from('id|cidade|valor\r1|Olinda|1234.50\r2|Olinda|0.50\r')],
  ])(
    'reads %s as it is meant',
    async (_, file) => {
      const run = await stack.upload(file, { pipeline: 'estrito' });
      expect(run.body).toMatchObject({ state: 'completed', rows: { read: 2, accepted: 2, rejected: 0 } });
      const hash = await stack.hash('estrito:Olinda');
      expect(hash).toMatchObject({ linhas: '2', total: '1235', _upload: run.body.id });
    },
    60_000,
  );

  it.each<[string, string, string]>([
    ['columns that are not declared', 'id,cidade,valor,extra,outra\n1,x,1,2,3\n', '"extra", "outra"'],
    ['a name twice', 'id,cidade,valor,id\n1,x,1,2\n', '"id"'],
    ['a column without a name', 'id,cidade,valor,\n1,x,1,2\n', 'no name for column number 4'],
    ['a missing column', 'id,cidades,valor\n1,x,1\n', 'lacks "cidade"'],
  ])(
    'refuses %s, by name',
    async (_, file, words) => {
      const run = await stack.upload(file, { pipeline: 'estrito' });
      expect([run.status, run.body['code']]).toEqual([422, 'header_mismatch']);
      expect(run.text).toContain(JSON.stringify(words).slice(1, -1));
    },
    60_000,
  );
});

/** `value` / 10^scale, without trailing zeros. */
function plain(value: bigint, scale: number): string {
  const digits = value.toString().padStart(scale + 1, '0');
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`.replace(/\.?0+$/, '') || '0';
}

function halfEven(value: bigint, by: bigint): bigint {
  const [quotient, rest] = [value / by, (value % by) * 2n];
  return rest > by || (rest === by && quotient % 2n === 1n) ? quotient + 1n : quotient;
}
