// Kafka's disk is full in the middle of an upload (fault-plan: a small filesystem): Kafka ends, as it does then. Uploads
// get 503, no row that was acknowledged is lost, and all goes on by itself once there is room.
//
// The small disk is a limit on the size of files (`ulimit -f`, any user may set it): a write beyond it fails like one on a
// full disk. A wrapper around `java` sets it while a file is there that says so.
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { startKafka, type OwnKafka } from '../../scripts/native-kafka.mjs';
import { freePort } from '../../scripts/ports.mjs';
import { Oracle, PIPELINE, startAudited } from '../harness/oracle.js';
import type { Random } from '../harness/seeded-upload.js';
import { until, type Stack } from '../harness/stack.js';
import { faultCase, Uploads } from './fault-case.js';

/** Of 512 bytes, as `ulimit -f` counts in a POSIX shell: 12 MiB. Kafka's indexes (10 MiB at once) fit, the rows do not. */
const BLOCKS = 24_576;
const ROWS = 120_000;

/** An environment in which `java` has a small disk while the file `limit` is there. */
function smallDisk(bin: string, limit: string): NodeJS.ProcessEnv {
  const java = execFileSync('/bin/sh', ['-c', 'command -v java'], { encoding: 'utf8' }).trim();
  const script = `#!/bin/sh\n[ -f '${limit}' ] && ulimit -f ${BLOCKS}\nexec '${java}' "$@"\n`;
  writeFileSync(join(bin, 'java'), script);
  chmodSync(join(bin, 'java'), 0o755);
  const { JAVA_HOME: _home, ...env } = process.env;
  return { ...env, PATH: `${bin}${delimiter}${process.env.PATH}` };
}

describe("Kafka's disk is full", () => {
  faultCase('uploads get 503; what was taken goes on when there is room, exactly', async ({ random }) => {
    const dir = await mkdtemp(join(tmpdir(), 'caudal-full-'));
    const limit = join(dir, 'full');
    writeFileSync(limit, '');
    const [port, controllerPort] = [await freePort(), await freePort()];
    const kafka = await startKafka({
      stateDir: join(dir, 'kafka'),
      port,
      controllerPort,
      env: smallDisk(dir, limit),
    });
    const stack = await startAudited({ kafkaBrokers: kafka.brokers, partitions: 1 });
    try {
      await fillAndFree(stack, kafka, () => rmSync(limit), random);
    } finally {
      await stack.stop();
      await kafka.stop();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

async function fillAndFree(stack: Stack, kafka: OwnKafka, free: () => void, random: Random): Promise<void> {
  const oracle = new Oracle(stack);
  const uploads = new Uploads(stack, oracle);
  const upload = (rows: number) => uploads.make({ seed: random.below(2 ** 31), rows });
  await uploads.send(upload(2_000));
  await uploads.ended();
  await uploads.send(upload(ROWS));
  // The fault fires: Kafka has no directory left to write to.
  const { code } = await kafka.exited;
  expect(code).not.toBe(0);
  const refused = await until('an upload to be refused', async () => {
    const answer = await stack.upload(upload(10).csv(), { pipeline: PIPELINE, query: '' });
    return answer.status === 503 ? answer : null;
  });
  expect(refused.body).toMatchObject({ code: 'kafka_away' });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  free();
  await kafka.restart();
  await Promise.all(stack.services.map((service) => service.ready(120_000)));
  await uploads.send(upload(2_000));
  await uploads.ended();
  expect(await oracle.check()).toEqual([]);
}
