// The simulation's clock: everybody waits for their turn, and a seed says whose it is. Nothing else decides an order, so
// that the same seed always gives the same history.
import { Random } from '../seeded-upload.js';

/** Whose turns these are. A stopped owner keeps waiting (SIGSTOP); a dead one never goes on (kill -9). */
export interface Owner {
  isStopped: boolean;
  isDead: boolean;
}

interface Waiting {
  owner: Owner;
  /** Null: at any time. */
  isDue: (() => boolean) | null;
  resume: () => void;
}

export class Scheduler {
  readonly random: Random;
  /** Turns given so far. */
  steps = 0;
  private waiting: Waiting[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.random.below(times) === 0;
  }

  /** Resolves when it is this owner's turn; `isDue`: not before that is true (else idle polls would take most turns). */
  turn(owner: Owner, isDue: (() => boolean) | null = null): Promise<void> {
    return new Promise((resume) => this.waiting.push({ owner, isDue, resume }));
  }

  /** Gives turns until `isOver`; `beforeTurn` may kill, stop and wake owners, and throws when it has lasted too long. */
  async run(isOver: () => boolean, beforeTurn: () => void): Promise<void> {
    for (;;) {
      await settled();
      if (isOver()) return;
      beforeTurn();
      this.steps++;
      this.pick()?.resume(); // when all sleep, time passes
    }
  }

  /** Takes one of those who can go on; nobody, when all sleep. */
  private pick() {
    const able = this.waiting.filter(({ owner, isDue }) => !owner.isStopped && !owner.isDead && (isDue?.() ?? true));
    const chosen = able[this.random.below(Math.max(able.length, 1))];
    this.waiting = this.waiting.filter((one) => one !== chosen && !one.owner.isDead);
    return chosen;
  }
}

/** Everything that follows from the last turn without a turn of its own has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve)); // comes when no promise is left to be continued
}
