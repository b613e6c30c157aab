// The watched drop folder of a pipeline, `CAUDAL_DATA_DIR/inbox/<pipeline>/`: looked at again and again (no watching of
// events: they are lost on network drives and in containers). A file that has not changed for a while goes the way of any
// upload; when its run has ended it is moved to `done` or `refused` with a report. Nothing else is remembered: after a crash
// the file still lies there, and its bytes are known.
import type { Pipeline, StoredRun } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../problem.js';
import { openSourceFile } from '../files/source-file.js';
import { publicRun } from '../runs/answer.js';
import type { RunStore } from '../runs/run-store.js';
import type { BodyLimits } from '../uploads/body.js';
import type { Intake, Placed } from '../uploads/intake.js';
import { isSameLook, type InboxFolder, type Look, type Outcome, type Waiting } from './folder.js';

export interface InboxOptions {
  pipeline: Pipeline;
  folder: InboxFolder;
  limits: BodyLimits;
  intake: Pick<Intake, 'receive'>;
  store: Pick<RunStore, 'get' | 'ended'>;
  /** Between two looks at the folder. */
  lookMs: number;
  /** A file that has not changed for so long is whole. */
  stableMs: number;
  now: () => number;
  stop: AbortSignal;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

interface Seen {
  look: Look;
  /** Since when it looks so. */
  since: number;
  /** Not before; after a passing fault. */
  notBefore: number;
  faults: number;
}

const UNDER_WAY_MAX = 16;
/** An interrupted run has not ended: it is looked at so often. */
const WAIT_MS = 5_000;
const RETRY_MS = 2_000;
const RETRY_MAX_MS = 60_000;

export class Inbox {
  private readonly seen = new Map<string, Seen>();
  /** Names of the files whose runs have not ended. */
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(private readonly options: InboxOptions) {}

  /** Looks until `stop` aborts; never rejects. */
  async run(): Promise<void> {
    const { stop, lookMs, log, pipeline, folder } = this.options;
    let told: string | null = null;
    while (!stop.aborted) {
      try {
        await folder.prepare();
        await this.look();
        told = null;
      } catch (error) {
        // It may stay so (a folder that is not ours): once is enough.
        const { code = 'unknown' } = error as { code?: string };
        const what = 'the inbox cannot be read or written; it is looked at again and again: look at the permissions';
        if (told !== code) log.warn({ err: error, pipeline: pipeline.name }, what);
        told = code;
      }
      await sleep(lookMs, undefined, { signal: stop }).catch(() => undefined);
    }
    await Promise.all(this.underWay.values());
  }

  /** One look: takes in, in the order of their names, what is whole by now. */
  private async look(): Promise<void> {
    const { folder, stop } = this.options;
    const files = await folder.list();
    const names = new Set(files.map((file) => file.name));
    for (const name of this.seen.keys()) if (!names.has(name)) this.seen.delete(name);
    for (const file of files) {
      if (stop.aborted || this.underWay.size >= UNDER_WAY_MAX) return;
      if (this.isWhole(file)) await this.take(file);
    }
  }

  private isWhole({ name, look }: Waiting): boolean {
    const now = this.options.now();
    if (this.underWay.has(name)) return false;
    const before = this.seen.get(name);
    if (before && isSameLook(before.look, look)) {
      return now - before.since >= this.options.stableMs && now >= before.notBefore;
    }
    this.seen.set(name, { look, since: now, notBefore: 0, faults: 0 });
    return false;
  }

  /** Resolves when the file has its place; what becomes of it is awaited in the background. */
  private async take(file: Waiting): Promise<void> {
    const { pipeline, log } = this.options;
    try {
      const placed = await this.receive(file);
      const following = this.follow(file, placed).catch((error: unknown) => this.tryLater(file, error));
      this.underWay.set(file.name, following);
      void following.finally(() => this.underWay.delete(file.name));
      await placed.decided.catch(() => undefined);
    } catch (error) {
      if (this.options.stop.aborted) return;
      if (!(error instanceof Problem) || error.status >= 500 || error.code === 'file_changed') {
        return this.tryLater(file, error);
      }
      const { code, detail: message, members } = error;
      log.info({ pipeline: pipeline.name, code }, 'a file in the inbox is refused');
      const report = { ...members, pipeline: pipeline.name, file_name: file.name, error: { code, message } };
      await this.moveAway(file, 'refused', String(this.options.now()), report);
    }
  }

  private async receive(file: Waiting): Promise<Placed> {
    const { folder, pipeline, limits, stop, intake } = this.options;
    if (!file.plain) throw new Problem(400, 'not_a_file', 'it is not a plain file');
    const { fileName, bytes, close } = await openSourceFile(folder.path, file.name, limits, stop);
    try {
      return await intake.receive({ pipeline, saveToDb: true, fileName, bytes, source: 'inbox' });
    } finally {
      await close();
    }
  }

  /** Waits for the run's end, then moves its file away. An interrupted run is resumed: its file is taken once more. */
  private async follow(file: Waiting, placed: Placed): Promise<void> {
    const { store, stop } = this.options;
    for (;;) {
      const run = placed.kept ?? (await store.ended(placed.run, WAIT_MS, stop));
      if (stop.aborted) return;
      if (!run || run.state === 'interrupted') return this.tryLater(file, null);
      if (run.ended_at !== null) return this.moveAway(file, outcomeOf(run), run.id, reportOf(run, placed.duplicate));
    }
  }

  private async moveAway(file: Waiting, outcome: Outcome, mark: string, report: object): Promise<void> {
    const { folder, log, pipeline } = this.options;
    try {
      await folder.moveAway(file.name, outcome, mark, report);
      this.seen.delete(file.name);
    } catch (error) {
      // Somebody else has moved it away.
      if ((error as { code?: string }).code === 'ENOENT') return;
      log.warn(
        { err: error, pipeline: pipeline.name },
        `a file cannot be moved to ${outcome}: look at the permissions`,
      );
      this.tryLater(file, error);
    }
  }

  private tryLater(file: Waiting, error: unknown): void {
    const { log, now, pipeline, stop } = this.options;
    const seen = this.seen.get(file.name);
    if (stop.aborted || !seen) return;
    seen.notBefore = now() + Math.min(RETRY_MS * 2 ** seen.faults, RETRY_MAX_MS);
    seen.faults++;
    if (error !== null) log.warn({ err: error, pipeline: pipeline.name }, 'a file in the inbox is taken again later');
  }
}

const outcomeOf = (run: StoredRun): Outcome => (run.state === 'completed' ? 'done' : 'refused');

const reportOf = (run: StoredRun, duplicate: boolean): object => ({ ...publicRun(run), duplicate });
