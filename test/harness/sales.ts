// A small pipeline of a test's own: an upload window, one that accumulates, and whatever else the test declares.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The text of `NAME.yaml`; `more`: further lines at the top level. */
export function salesPipeline(name: string, more = ''): string {
  return `name: ${name}
source:
  columns:
    cidade: { type: string, required: true }
    valor:  { type: decimal, min: 0 }
views:
  ultimo:
    group_by: [cidade]
    window: { type: upload }
    features: { vendas: { count: "*" }, total: { sum: valor } }
    redis: { key: "${name}:u:{cidade}" }
  sempre:
    group_by: [cidade]
    window: { type: all_time }
    features: { vendas: { count: "*" }, total: { sum: valor } }
    redis: { key: "${name}:t:{cidade}" }
checks: []
${more}`;
}

/** Writes pipelines into a folder of their own below `dir`; answers it. */
export async function pipelinesIn(dir: string, texts: Record<string, string>): Promise<string> {
  const folder = join(dir, 'pipelines');
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, `${name}.yaml`), text);
  return folder;
}

/** A file of sales, one line each. */
export const salesFile = (...lines: string[]): string => `${['cidade,valor', ...lines].join('\n')}\n`;
