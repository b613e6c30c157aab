// For specs only: pipelines of a few lines, and a file read through as the gate reads it.
import { parsePipelineFile, type Dialect, type Pipeline } from '#contracts';
import type { FileFormat } from './dialect.js';
import { CsvReader, isFault, type CsvFault, type CsvRecord, type FileHead } from './parse-records.js';
import type { Grammar } from './split-records.js';

export const PLAIN: Grammar = { delimiter: ',', quote: '"', comment: null, trim: false };

/**
 * A pipeline with a column `id` (string, required) that groups, and `columns`: `{valor: '{ type: decimal }'}`.
 * `source`: more keys of the source, such as `trim: true`.
 */
export function pipelineOf(columns: Record<string, string>, source = ''): Pipeline {
  const lines = Object.entries({ id: '{ type: string, required: true }', ...columns });
  return parsePipelineFile(
    `
name: p
source:
  columns:
${lines.map(([name, column]) => `    ${JSON.stringify(name)}: ${column}`).join('\n')}
${source.replaceAll(/^/gm, '  ')}
views:
  v: { group_by: [id], window: { type: upload }, features: { n: { count: "*" } }, redis: { key: "{id}" } }
`,
    'p.yaml',
  );
}

export async function* chunksOf(bytes: Buffer, size = 64 * 1024): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface ReadFile {
  head: FileHead | null;
  records: (CsvRecord | CsvFault)[];
}

/** Everything that a reader gives, from chunks of `size` bytes. */
export async function readAll(
  file: string | Buffer,
  format: FileFormat,
  size?: number,
  dialect?: Dialect,
): Promise<ReadFile> {
  const reader = new CsvReader(chunksOf(Buffer.from(file), size), format, dialect);
  const head = await reader.readHeader();
  const records: (CsvRecord | CsvFault)[] = [];
  for await (const batch of reader.batches()) {
    if (batch.length === 0 || batch.length > 1_000) throw new Error(`a batch of ${batch.length} records`);
    records.push(...batch);
  }
  return { head, records };
}

/** The cells of each record, or the code of its fault. */
export const cellsOf = ({ records }: ReadFile): (string[] | string)[] =>
  records.map((record) => (isFault(record) ? record.code : record.cells));
