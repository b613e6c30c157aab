// A file in the public layout of Brazil's open company data (CNPJ, "Empresas"), on stdout: invented companies, the same
// for the same seed.   node examples/cnpj/make-file.mjs [--rows 200] [--seed 1] > data/files/empresas.csv
import { once } from 'node:events';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: { rows: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } },
});

const KINDS = [
  'COMÉRCIO DE ALIMENTOS',
  'CONSTRUÇÕES E INCORPORAÇÕES',
  'TRANSPORTES RODOVIÁRIOS',
  'SERVIÇOS MÉDICOS',
  'PANIFICADORA',
  'CONFECÇÕES',
  'AUTO PEÇAS',
  'INFORMÁTICA; TECNOLOGIA',
  'AGROPECUÁRIA',
  'EDUCAÇÃO E CULTURA',
];
const NAMES = [
  'SÃO JOSÉ',
  'CONCEIÇÃO',
  'IRMÃOS GONÇALVES',
  'BOA ESPERANÇA',
  'TRÊS CORAÇÕES',
  "PAU D'ALHO",
  'ÁGUA BOA',
  'MARANHÃO',
  'ESTÂNCIA',
  'OURO "PRETO"',
];
const FORMS = [
  { suffix: 'LTDA', nature: '2062', person: '49' },
  { suffix: 'S/A', nature: '2054', person: '10' },
  { suffix: '', nature: '2135', person: '50' },
];
const SIZES = ['00', '01', '01', '01', '03', '05'];
const TOWNS = ['MUNICÍPIO DE SÃO LUÍS - MA', 'UNIÃO', 'ESTADO DO PARÁ - PA'];

// xorshift32: small, and the same everywhere.
let state = Number(options.seed) | 1;
function below(n) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}
const one = (list) => list[below(list.length)];
const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

function company(n) {
  const basic = String(10_000_000 + n);
  if (below(50) === 0) {
    const town = one(TOWNS);
    return [basic, `PREFEITURA ${n} DE ${one(NAMES)}`, '1244', '05', '0,00', '05', town];
  }
  const form = one(FORMS);
  const capital = `${below(8) === 0 ? 0 : below(2_000_000)},${String(below(100)).padStart(2, '0')}`;
  return [
    basic,
    `${one(NAMES)} ${n} ${one(KINDS)} ${form.suffix}`.trim(),
    form.nature,
    form.person,
    capital,
    one(SIZES),
    '',
  ];
}

const rows = Number(options.rows);
for (let n = 0; n < rows;) {
  let block = '';
  for (const end = Math.min(n + 1_000, rows); n < end; n++) block += `${company(n).map(quoted).join(';')}\n`;
  if (!process.stdout.write(Buffer.from(block, 'latin1'))) await once(process.stdout, 'drain');
}
