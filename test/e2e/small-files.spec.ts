// Many small files, one after another: nothing of them stays in memory or on disk. `npm run test:deep` sends 10,000 and
// looks at ingest's memory; `npm test` sends a few and looks at the disk alone.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { company, fileOf } from '../harness/companies.js';
import { Stack, until } from '../harness/stack.js';

const FILES = process.env.CAUDAL_DEEP ? 10_000 : 200;
const MEMORY_FROM = 1_000;
/** What Node's heap may grow by between two looks without anything staying in it. */
const SLACK_BYTES = 64 * 1024 * 1024;

describe('many small files', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  const metric = async (name: string): Promise<number> => {
    const { text } = await stack.request('/metrics');
    return Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)![1]);
  };
  const spooled = async () => (await readdir(join(stack.stateDir, 'spool'))).length;

  it(
    `leave the disk and the memory of ingest flat: ${FILES} files`,
    async () => {
      let last = '';
      let early = 0;
      for (let n = 0; n < FILES; n++) {
        const { status, body } = await stack.upload(fileOf([company(n, `cidade ${n % 50}`)]), { query: '' });
        expect([n, status]).toEqual([n, 202]);
        last = body.id!;
        // In step with what follows: a queue that grows would hold files as it should.
        if (n % 100 === 99) await stack.ended(last);
        if (n === MEMORY_FROM) early = await metric('process_resident_memory_bytes');
      }
      expect((await stack.ended(last)).body).toMatchObject({ state: 'completed' });
      await until('an empty spool', async () => (await spooled()) === 0);
      expect(await metric('caudal_spool_bytes')).toBe(0);
      if (early > 0) {
        const late = await metric('process_resident_memory_bytes');
        process.stdout.write(
          `memory after ${MEMORY_FROM} files ${early >> 20} MiB, after ${FILES} ${late >> 20} MiB\n`,
        );
        expect(late - early).toBeLessThan(SLACK_BYTES);
      }
    },
    20 * 60_000,
  );
});
