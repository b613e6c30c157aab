// A pipeline with checks of every kind, and files for it: the same shops every day, or changed in one way.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PIPELINE = `name: lojas
source:
  columns:
    cnpj:    { type: string, required: true }
    dia:     { type: timestamp, required: true }
    cidade:  { type: string, required: true }
    estado:  { type: string }
    capital: { type: decimal }
  key: [cidade]
views:
  por_cidade:
    group_by: [cidade]
    window: { type: upload }
    features: { lojas: { count: cnpj }, capital_total: { sum: capital } }
    redis: { key: "lojas:{cidade}" }
checks:
  - { name: colunas,        type: schema_skew, min_fraction: 0.5 }
  - { name: estados,        type: value_skew, column: estado, domain: [SP, RJ, MG], min_domain_mass: 0.99 }
  - { name: como_antes,     type: row_count_change, min_fraction: 0.6, max_fraction: 2 }
  - { name: capital_igual,  type: drift, column: capital, measure: psi, threshold: 0.25 }
  - { name: estavel,        type: interval_check, metrics_thresholds: { "avg(capital)": 10 } }
  - { name: recentes,       type: check, where: "dia >= run_date - 2", expression: "count() > 0" }
  - { name: muitas,         type: threshold_check, expression: "count()", min_threshold: 1000000, max_threshold: 2000000, severity: warn }
  - { name: por_cidade,     type: threshold_check, stage: features, view: por_cidade, expression: "max(lojas)", min_threshold: 1, max_threshold: 150 }
`;

/** A folder with the pipeline file alone. */
export async function shopsFolder(checks?: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'caudal-lojas-'));
  const text = checks === undefined ? PIPELINE : `${PIPELINE.slice(0, PIPELINE.indexOf('checks:'))}checks:\n${checks}`;
  await writeFile(join(dir, 'lojas.yaml'), text);
  return dir;
}

export interface Shop {
  cnpj: number;
  dia: string;
  cidade: string;
  estado: string;
  capital: string;
}

export const STATES = ['SP', 'RJ', 'MG'] as const;
const CITIES = 4;

/** So many shops of a day, on `dia` (epoch ms); `seed` makes their numbers others, of the same distribution. */
export function shops(count: number, seed: number, dia: number): Shop[] {
  return Array.from({ length: count }, (_, n) => ({
    cnpj: seed * 1_000_000 + n,
    dia: new Date(dia).toISOString(),
    cidade: `cidade ${n % CITIES}`,
    estado: STATES[n % 3]!,
    capital: String(((n * 37 + seed * 11) % 1_000) + 1),
  }));
}

export function shopsFile(rows: readonly Shop[]): string {
  const lines = rows.map(({ cnpj, dia, cidade, estado, capital }) => [cnpj, dia, cidade, estado, capital].join(','));
  return `cnpj,dia,cidade,estado,capital\n${lines.join('\n')}\n`;
}
