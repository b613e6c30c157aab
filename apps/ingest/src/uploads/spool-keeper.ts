// What stays on disk, and for how long: bodies of unfinished runs until they are published; those of failed and refused
// runs a day, for a retry. They hold raw cells, so everything else goes.
import type { StoredRun } from '#contracts';
import type { RunStore } from '../runs/run-store.js';
import type { Spool } from './spool.js';

const KEPT_MS = 24 * 3_600_000;
/** Of bodies that wait for a retry; the oldest go first. */
const KEPT_RUNS_MAX = 1_000;
const KEPT_BYTES_MAX = 8 * 1024 ** 3;

export interface SpoolKeeperOptions {
  store: Pick<RunStore, 'get'>;
  spool: Spool;
  now: () => number;
}

export class SpoolKeeper {
  constructor(private readonly options: SpoolKeeperOptions) {}

  /** Removes what no run needs. */
  async sweep(): Promise<void> {
    const { store, spool } = this.options;
    const kept: StoredRun[] = [];
    for (const id of await spool.list()) {
      const run = store.get(id);
      // Asked now, not before: a new file may have come while the folder was read.
      if (!run || (run.ended_at !== null && !this.isKept(run))) await spool.remove(id);
      else if (run.ended_at !== null) kept.push(run);
    }
    kept.sort((a, b) => Date.parse(a.ended_at!) - Date.parse(b.ended_at!));
    let bytes = kept.reduce((sum, run) => sum + run.bytes, 0);
    for (const [at, run] of kept.entries()) {
      // A retry may have taken it meanwhile.
      if (store.get(run.id)?.ended_at == null) continue;
      if (kept.length - at > KEPT_RUNS_MAX || bytes > KEPT_BYTES_MAX) await spool.remove(run.id);
      else if (!spool.keeps(run.id)) await spool.keepBody(run.id);
      bytes -= run.bytes;
    }
  }

  private isKept(run: StoredRun): boolean {
    const retriable = run.state === 'failed' || run.state === 'rejected';
    return retriable && run.internal.received && this.options.now() - Date.parse(run.ended_at!) < KEPT_MS;
  }
}
