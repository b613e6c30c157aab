// A file much larger than ingest's memory: how much that takes does not depend on the file. A small one always; of
// 2 GiB, made while it is sent, under CAUDAL_DEEP (`npm run test:deep -- test/e2e/large-upload`; CAUDAL_MIB sets the size).
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { Run } from '#contracts';
import { HEADER } from '../harness/companies.js';
import { Stack } from '../harness/stack.js';

const MIB = 1024 * 1024;
const LARGE_MIB = Number(process.env.CAUDAL_MIB ?? (process.env.CAUDAL_DEEP ? 2_048 : 32));
const MEMORY_MIB = 300;
const CITIES = 50;

/** A file of about `mib` MiB in latin1 or UTF-8, its rows all different; `rows` afterwards: how many it had. */
class MadeFile {
  rows = 0;

  constructor(
    private readonly mib: number,
    private readonly encoding: 'utf8' | 'latin1',
  ) {}

  async *chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from(`${HEADER}\n`);
    for (let bytes = 0; bytes < this.mib * MIB;) {
      let block = '';
      for (let n = 0; n < 1_000; n++) {
        const row = this.rows++;
        const id = String(row).padStart(14, '0');
        block += `${id},2023-03-01T10:00:00Z,"São Paulo, ${row % CITIES}",SP,${row % 1_000}.25\n`;
      }
      const chunk = Buffer.from(block, this.encoding);
      bytes += chunk.length;
      yield chunk;
    }
  }
}

describe('a large upload', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);
  afterAll(async () => stack?.stop(), 120_000);

  /** The most memory that ingest has ever held, in MiB. */
  const mostMemory = (): number => {
    const status = readFileSync(`/proc/${stack.service('ingest').pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) / 1024;
  };

  it.each<[string, number, 'utf8' | 'latin1']>([
    ['latin1', LARGE_MIB / 4, 'latin1'],
    ['UTF-8', LARGE_MIB, 'utf8'],
  ])(
    'in %s, of %d MiB, is published in bounded memory',
    async (_, mib, encoding) => {
      const file = new MadeFile(mib, encoding);
      const answer = await fetch(`${stack.url}/v1/pipelines/empresas/uploads`, {
        method: 'POST',
        headers: { 'content-type': 'text/csv' },
        body: Readable.toWeb(Readable.from(file.chunks())) as never,
        duplex: 'half',
      } as RequestInit);
      expect(answer.status).toBe(202);
      const { id } = (await answer.json()) as Run;
      const run = await stack.ended(id, 3_600_000);
      expect(run.body).toMatchObject({
        state: 'completed',
        rows: { read: file.rows, accepted: file.rows, rejected: 0, published: file.rows },
      });
      const group = await stack.hash('São Paulo, 7');
      expect(group).toMatchObject({ quantidade_empresas: String(Math.ceil((file.rows - 7) / CITIES)), _upload: id });
      const most = mostMemory();
      process.stdout.write(`ingest held at most ${Math.round(most)} MiB (${file.rows} rows, ${mib} MiB)\n`);
      expect(most).toBeLessThan(MEMORY_MIB);
    },
    3_600_000,
  );
});
