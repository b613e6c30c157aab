// The frame of every fault case: a seed (printed), as many rounds as were asked for, faults that are armed in a running
// service and must be seen to fire.
//   npm test                                      one round each
//   npm run test:faults -- --minutes N --seed S   rounds with new seeds for N minutes in all
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Oracle } from '../harness/oracle.js';
import { PIPELINE } from '../harness/oracle.js';
import { Random, SeededUpload, type UploadShape } from '../harness/seeded-upload.js';
import { until, type Service, type Stack } from '../harness/stack.js';

const { CAUDAL_FAULT_MINUTES, CAUDAL_FAULT_ROUNDS, CAUDAL_FAULT_SEED } = process.env;
/** Two workers share the minutes among about so many cases. */
const CASES = 19;
const WORKERS = 2;
const ROUND_MS = 240_000;
const shareMs = ((Number(CAUDAL_FAULT_MINUTES ?? 0) * 60_000) / CASES) * WORKERS;
const roundsMin = Number(CAUDAL_FAULT_ROUNDS ?? 1);

export interface Round {
  random: Random;
  seed: number;
}

/** One case: `round` is run with a new seed as often as the command line asks, at least once. */
export function faultCase(name: string, round: (round: Round) => Promise<void>): void {
  it(
    name,
    async () => {
      const startedAt = performance.now();
      for (let rounds = 0; rounds < roundsMin || performance.now() - startedAt < shareMs; rounds++) {
        const first = CAUDAL_FAULT_SEED === undefined ? undefined : Number(CAUDAL_FAULT_SEED) + rounds;
        const seed = first ?? Math.floor(Math.random() * 2 ** 31);
        process.stdout.write(`seed ${seed}: ${name}\n`);
        await withSeed(seed, () => round({ random: new Random(seed), seed }));
      }
    },
    shareMs + ROUND_MS * roundsMin,
  );
}

/** A failure names its seed. */
async function withSeed(seed: number, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error) error.message = `with seed ${seed}: ${error.message}`;
    throw error;
  }
}

export const INJECTOR = ['--import', './test/harness/fault-injector.mjs'];

export interface ArmedFault {
  readonly hasFired: boolean;
  /** Resolves when the fault has happened; rejects when it never does. */
  fired(withinMs?: number): Promise<void>;
}

/** Arms a fault such as `kill:EndTxn:before:3` in a service that was started with the injector. */
export async function arm(stack: Stack, service: Service, fault: string): Promise<ArmedFault> {
  const { pid } = service;
  const file = (kind: string) => join(stack.stateDir, `${kind}-${pid}`);
  writeFileSync(file('fault'), fault);
  service.signal('SIGUSR2');
  await until(`${service.name} to be armed with ${fault}`, () => existsSync(file('armed')), 10_000);
  const firedFile = file('fired');
  return {
    get hasFired() {
      return existsSync(firedFile);
    },
    fired: async (withinMs = 60_000) => {
      await until(`${fault} to happen in ${service.name}`, () => existsSync(firedFile), withinMs);
    },
  };
}

/** Sends files made from seeds, each lying later than the one before, and tells the oracle. */
export class Uploads {
  private place = 0;
  readonly runs: string[] = [];

  constructor(
    private readonly stack: Stack,
    private readonly oracle: Oracle,
  ) {}

  make(shape: Omit<UploadShape, 'place'>): SeededUpload {
    return new SeededUpload({ ...shape, place: this.place++ });
  }

  /** Resolves when the file has passed its checks: from then on its rows flow. */
  async send(upload: SeededUpload): Promise<string> {
    const answer = await this.stack.upload(upload.csv(), { pipeline: PIPELINE, query: 'wait=0' });
    if (answer.status !== 202 && answer.status !== 200) throw new Error(`upload: ${answer.status} ${answer.text}`);
    const run = answer.body.id!;
    this.oracle.know(run, upload);
    this.runs.push(run);
    return run;
  }

  /** Waits until all have ended. */
  async ended(withinMs = 150_000): Promise<void> {
    for (const run of this.runs.splice(0)) await this.stack.ended(run, withinMs);
  }
}
