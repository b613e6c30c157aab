// SIGSTOP of a process for longer than its session, while another one takes over, then SIGCONT: the zombie goes on in the
// middle of what it was doing, believing that the partition is its own. kill -9 alone proves nothing: the dead write no
// more. The same case with transactions off must be caught by the oracle.
import { Oracle, startAudited } from '../harness/oracle.js';
import type { Random } from '../harness/seeded-upload.js';
import { type Stack, until, type Service, type ServiceName, type StackOptions } from '../harness/stack.js';
import { arm, faultCase, INJECTOR, Uploads } from './fault-case.js';

const ROWS = 50_000;
const NO_TRANSACTIONS = ['--import', './test/harness/no-transactions.mjs'];

interface Bench {
  stack: Stack;
  oracle: Oracle;
  uploads: Uploads;
}

async function open(nodeArgs: StackOptions['nodeArgs']): Promise<Bench> {
  const stack = await startAudited({ nodeArgs: nodeArgs! });
  const oracle = new Oracle(stack);
  return { stack, oracle, uploads: new Uploads(stack, oracle) };
}

/** A process that has slept through the loss of its partitions; what it says since it goes on. */
interface Zombie {
  service: Service;
  says(text: string): boolean;
}

/**
 * first stops itself at `fault` -> second joins, gets all partitions when first's session has expired, and ends the
 * upload -> first continues.
 */
async function stopAndContinue(bench: Bench, name: ServiceName, fault: string, random: Random): Promise<Zombie> {
  const { stack, uploads } = bench;
  const first = stack.services.find((service) => service.name === name && service.running)!;
  const upload = uploads.make({ seed: random.below(2 ** 31), rows: ROWS });
  const armed = await arm(stack, first, fault);
  await uploads.send(upload);
  await armed.fired();
  await stack.add(name);
  await uploads.ended();
  const printed = first.log.length;
  first.signal('SIGCONT');
  return { service: first, says: (text) => first.log.slice(printed).includes(text) };
}

describe('SIGSTOP past the session timeout, take-over, SIGCONT', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await open({ aggregator: INJECTOR, 'feature-writer': INJECTOR });
  }, 120_000);
  afterAll(async () => bench?.stack.stop(), 60_000);

  /** One more upload goes through both processes; then one of them leaves, so that the next round begins alike. */
  async function expectExact({ service: zombie }: Zombie, random: Random): Promise<void> {
    const { stack, uploads, oracle } = bench;
    await uploads.send(uploads.make({ seed: random.below(2 ** 31), rows: 5_000 }));
    await uploads.ended();
    await zombie.ready();
    expect(await oracle.check()).toEqual([]);
    await zombie.kill('SIGTERM');
    await Promise.all(stack.services.filter((service) => service.running).map((service) => service.ready()));
  }

  faultCase('of the aggregator: the zombie is fenced, and the result exact', async ({ random }) => {
    const point = random.pick(['Produce:before', 'TxnOffsetCommit:before', 'EndTxn:before']);
    const fault = `stop:${point}:${random.between(2, 8)}`;
    const zombie = await stopAndContinue(bench, 'aggregator', fault, random);
    await until('the zombie to be fenced', () => zombie.says('"code":"fenced"'), 20_000);
    await expectExact(zombie, random);
  });

  faultCase('of the writer: what it still sends to Redis is refused by the marker', async ({ random }) => {
    const fault = `stop:Eval:before:${random.between(2, 10)}`;
    const zombie = await stopAndContinue(bench, 'feature-writer', fault, random);
    await until('the zombie to be refused', () => zombie.says('"code":"marker_moved"'), 20_000);
    await expectExact(zombie, random);
  });
});

describe('SIGSTOP of the active ingest in the middle of publishing, take-over, SIGCONT', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await open({ ingest: INJECTOR });
  }, 120_000);
  afterAll(async () => bench?.stack.stop(), 60_000);

  // The other ingest finds the body in the spool and goes on where the log ends; the zombie can commit nothing, and ends.
  faultCase('publishes every row once, and the zombie ends', async ({ random }) => {
    const { stack, uploads, oracle } = bench;
    const zombie = stack.service('ingest');
    const upload = uploads.make({ seed: random.below(2 ** 31), rows: ROWS });
    const armed = await arm(stack, zombie, `stop:EndTxn:before:${random.between(3, 6)}`);
    const unheard = uploads.send(upload).catch(() => undefined); // its answer may be lost with the zombie
    await armed.fired();
    const successor = await stack.add('ingest');
    stack.services.splice(stack.services.indexOf(successor), 1);
    stack.services.unshift(successor); // from now on the stack talks to this one
    await successor.ready();
    await uploads.send(upload); // known, or begun anew
    await uploads.ended();
    zombie.signal('SIGCONT');
    await zombie.exited(30_000);
    await unheard;
    stack.services.splice(stack.services.indexOf(zombie), 1);
    await uploads.ended();
    expect(await oracle.check()).toEqual([]);
  });
});

describe('the same with transactions off', () => {
  let bench: Bench | undefined;
  afterEach(async () => bench?.stack.stop(), 60_000);

  faultCase('is caught: rows count twice', async ({ random }) => {
    await bench?.stack.stop(); // what a round leaves is wrong, and would be caught again
    bench = await open({ aggregator: [...INJECTOR, ...NO_TRANSACTIONS] });
    const zombie = await stopAndContinue(bench, 'aggregator', `stop:Produce:before:${random.between(2, 8)}`, random);
    await until('the zombie to be a member again', () => zombie.says('task joined'));
    const violations = await bench.oracle.check();
    expect(violations.join('\n')).toMatch(/features: .* (goes from|expected|ends twice|changes after)/);
    expect(zombie.says('"code":"fenced"')).toBe(false);
  });
});
