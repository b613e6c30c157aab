import type { DeadLetter, StoredRun } from '#contracts';
import type { KafkaClient, ReadPartitionArgs } from '#kafka';
import { deadLettersAsCsv, readDeadLetters } from './dead-letters.js';

const letter = (row: number, more: Partial<DeadLetter> = {}): DeadLetter => ({
  upload: 'R',
  row,
  line: row + 1,
  column: null,
  code: 'ragged',
  message: 'too few',
  raw: 'a,b',
  raw_truncated: false,
  ...more,
});

/** A topic of these letters, from offset 10 on; `null` stands for another run's. */
function topicOf(rows: (number | null)[]): KafkaClient {
  const readPartition = async ({ from, to, onRecord }: ReadPartitionArgs) => {
    for (const [i, row] of rows.entries()) {
      const offset = BigInt(10 + i);
      if (offset < from! || offset >= to!) continue;
      const key = Buffer.from(row === null ? 'other' : 'R');
      const value = Buffer.from(JSON.stringify(letter(row ?? -1)));
      const record = { topic: 't', partition: 0, offset, timestampMs: 0, key, value, headers: {} };
      if (onRecord(record) === false) break;
    }
    return { next: 0n, records: 0 };
  };
  return { readPartition } as unknown as KafkaClient;
}
const run = { id: 'R', pipeline: 'p', internal: { dead_letters: { partition: 0, from: '11', to: '16' } } } as StoredRun;
const read = async (client: KafkaClient, page: { limit: number; cursor?: bigint }) => {
  const { items, next_cursor: cursor } = await readDeadLetters(client, 'caudal', run, page);
  return { rows: items.map((item) => item.row), cursor };
};

describe('dead letters', () => {
  const client = topicOf([99, 1, null, 2, 3, null, 98]);

  it('reads only the range and only the letters of the run', async () => {
    expect(await read(client, { limit: 10 })).toEqual({ rows: [1, 2, 3], cursor: null });
  });

  it('pages: a cursor only where something follows', async () => {
    const first = await read(client, { limit: 2 });
    expect(first).toEqual({ rows: [1, 2], cursor: '14' });
    expect(await read(client, { limit: 2, cursor: 14n })).toEqual({ rows: [3], cursor: null });
    expect(await read(client, { limit: 3 })).toEqual({ rows: [1, 2, 3], cursor: null });
  });

  it('does not leave the range by a made-up cursor', async () => {
    expect(await read(client, { limit: 10, cursor: 0n })).toEqual({ rows: [1, 2, 3], cursor: null });
    expect(await read(client, { limit: 10, cursor: 1_000n })).toEqual({ rows: [], cursor: null });
  });

  it('has none where the run has none', async () => {
    const without = { ...run, internal: { ...run.internal, dead_letters: null } };
    const page = await readDeadLetters(client, 'caudal', without, { limit: 10 });
    expect(page).toEqual({ items: [], next_cursor: null });
  });

  it('writes CSV that no spreadsheet takes for formulas, and that reads back', () => {
    const raws = ['=1+1', '+1', '-1', '@a', '\tx', '\u0000x', '\rx', 'a"b,c', 'plain', ''];
    const lines = deadLettersAsCsv(raws.map((raw, i) => letter(i + 1, { raw }))).split('\r\n');
    expect(lines[0]).toBe('upload,row,line,column,code,message,raw,raw_truncated');
    const cells = lines.slice(1, -1).map((line) => line.slice(line.indexOf('too few,') + 8, -',false'.length));
    expect(cells).toEqual(["'=1+1", "'+1", "'-1", "'@a", "'\tx", "'\u0000x", `"'\rx"`, '"a""b,c"', 'plain', '']);
  });
});
