// kill -9 of ingest at random points of an upload: while its body arrives, and anywhere in the talk with Kafka that follows.
// It completes after the restart, or its run has failed and says to send it again; the same bytes, sent twice at once after
// the crash, are one run. Then the same with a standby that takes over.
//
//   npm test: 3 points each; npm run test:faults and npm run test:deep: 20 each
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Oracle, PIPELINE, startAudited } from '../harness/oracle.js';
import type { Random, SeededUpload } from '../harness/seeded-upload.js';
import { RawUpload } from '../harness/raw-request.js';
import { until, type Service, type Stack } from '../harness/stack.js';
import { arm, faultCase, INJECTOR, Uploads } from './fault-case.js';

const ROWS = 20_000;
const POINTS = process.env.CAUDAL_DEEP || process.env.CAUDAL_FAULT_MINUTES ? 20 : 3;

let stack: Stack;
let oracle: Oracle;
let uploads: Uploads;
beforeAll(async () => {
  stack = await startAudited({ nodeArgs: { ingest: INJECTOR } });
  oracle = new Oracle(stack);
  uploads = new Uploads(stack, oracle);
}, 120_000);
afterAll(async () => stack?.stop(), 60_000);

/** Kills `service` in the middle of the body; answers the run that was recorded for it. */
async function killInBody(service: Service, upload: SeededUpload, random: Random): Promise<string> {
  const body = upload.csv();
  const before = await readdir(join(stack.stateDir, 'spool'));
  const sending = new RawUpload(`${stack.url}/v1/pipelines/${PIPELINE}/uploads`, { 'content-length': body.length });
  await sending.write(body.slice(0, random.between(100, body.length - 1)));
  const run = await until('its spool', async () =>
    (await readdir(join(stack.stateDir, 'spool'))).find((folder) => !before.includes(folder)),
  );
  await service.kill();
  return run;
}

/** Kills `service` at a point of its talk with Kafka while (or before) it publishes. */
async function killInTalk(service: Service, upload: SeededUpload, random: Random): Promise<void> {
  const point = `${random.pick(['Produce', 'EndTxn', 'AddPartitionsToTxn'])}:${random.pick(['before', 'after'])}`;
  const armed = await arm(stack, service, `kill:${point}:${random.between(1, 6)}`);
  // Its answer may go down with it.
  await stack.upload(upload.csv(), { pipeline: PIPELINE, query: '' }).catch(() => null);
  await armed.fired();
  expect(await service.exited()).toBe('SIGKILL');
}

/** The same bytes, twice at once: both are told of one run. */
async function sendTwice(upload: SeededUpload): Promise<void> {
  const [one, two] = await Promise.all([uploads.send(upload), uploads.send(upload)]);
  expect(two).toBe(one);
}

/** One upload, one kill; `next` brings back an ingest that answers. */
async function oneKill(service: Service, next: () => Promise<void>, random: Random): Promise<void> {
  const upload = uploads.make({ seed: random.below(2 ** 31), rows: ROWS });
  const isInBody = random.below(3) === 0;
  const cut = isInBody ? await killInBody(service, upload, random) : null;
  if (!isInBody) await killInTalk(service, upload, random);
  await next();
  if (cut !== null) {
    const { body } = await stack.ended(cut);
    expect(body).toMatchObject({ state: 'failed', rows: { published: 0 }, error: { code: 'body_incomplete' } });
    expect(body.error!.message).toContain('send it again');
  }
  await sendTwice(upload);
}

async function expectExact(): Promise<void> {
  await uploads.ended();
  expect(await oracle.check()).toEqual([]);
  await until('a swept spool', async () => (await readdir(join(stack.stateDir, 'spool'))).length === 0);
}

describe('kill -9 of ingest at any point of an upload', () => {
  faultCase('it goes on by itself, or says to send the file again', async ({ random }) => {
    const ingest = stack.service('ingest');
    const restart = async () => {
      ingest.start();
      await ingest.ready();
    };
    for (let point = 0; point < POINTS; point++) await oneKill(ingest, restart, random);
    await expectExact();
  });

  faultCase('a standby goes on with it', async ({ random }) => {
    let active = stack.service('ingest');
    let standby = await stack.add('ingest');
    for (let point = 0; point < POINTS; point++) {
      const [dying, heir] = [active, standby];
      const takeOver = async () => {
        await heir.ready();
        stack.front = heir;
        dying.start();
      };
      await oneKill(dying, takeOver, random);
      [active, standby] = [heir, dying];
    }
    await expectExact();
    await Promise.all([active, standby].map((service) => service.kill()));
    // For a round with another seed.
    stack.front = null;
    stack.service('ingest').start();
    await stack.service('ingest').ready();
  });
});
