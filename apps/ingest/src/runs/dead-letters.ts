// Reads a run's dead letters back: the run knows partition and offsets, so a page is a seek, not a scan.
import { pipelineTopics, type DeadLetter, type StoredRun } from '#contracts';
import type { KafkaClient } from '#kafka';

export interface DeadLetterPage {
  items: DeadLetter[];
  /** Give it back as `cursor` for the next page; null at the end. */
  next_cursor: string | null;
}

/** A reader waits this long for Kafka before it is told that Kafka is away. */
const READ_MS = 10_000;

/** One page, in the order of the file. Throws a KafkaError. */
export async function readDeadLetters(
  client: KafkaClient,
  prefix: string,
  run: StoredRun,
  page: { limit: number; cursor?: bigint },
): Promise<DeadLetterPage> {
  const range = run.internal.dead_letters;
  if (!range) return { items: [], next_cursor: null };
  const from = BigInt(range.from);
  const to = BigInt(range.to);
  const items: DeadLetter[] = [];
  let next: bigint | null = null;
  await client.readPartition({
    topic: pipelineTopics(prefix, run.pipeline).deadLetter,
    partition: range.partition,
    from: page.cursor !== undefined && page.cursor > from ? page.cursor : from,
    to,
    signal: AbortSignal.timeout(READ_MS),
    onRecord: (record) => {
      // Other runs may have written between: the key tells whose a letter is.
      if (record.key?.toString() !== run.id) return;
      if (items.length === page.limit) {
        next = record.offset;
        return false;
      }
      items.push(JSON.parse(record.value!.toString()) as DeadLetter);
    },
  });
  return { items, next_cursor: next === null ? null : String(next) };
}

const COLUMNS = ['upload', 'row', 'line', 'column', 'code', 'message', 'raw', 'raw_truncated'] as const;

/** The page as CSV. A cell that a spreadsheet would take for a formula is quoted with an apostrophe (ASVS 1.2.10). */
export function deadLettersAsCsv(items: readonly DeadLetter[]): string {
  const lines = items.map((item) => COLUMNS.map((name) => csvCell(item[name])).join(','));
  return [COLUMNS.join(','), ...lines, ''].join('\r\n');
}

function csvCell(value: string | number | boolean | null): string {
  const text = value === null ? '' : String(value);
  // oxlint-disable-next-line no-control-regex
  const safe = typeof value === 'string' && /^[=+\-@\t\u0000\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
