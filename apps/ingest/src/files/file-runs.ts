// Runs of files that lie on the machine (`POST /v1/runs`, schedules): the same intake as an upload's, from below
// `CAUDAL_DATA_DIR/files`.
import type { Pipeline, RunSource } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../problem.js';
import type { RunStore } from '../runs/run-store.js';
import type { BodyLimits } from '../uploads/body.js';
import type { Intake, Placed } from '../uploads/intake.js';
import { openSourceFile } from './source-file.js';

export interface FileRunsOptions {
  /** `CAUDAL_DATA_DIR/files` */
  folder: string;
  limits: BodyLimits & { bodiesAtOnce: number };
  intake: Intake;
  store: RunStore;
  stop: AbortSignal;
  log: { warn(fields: object, message: string): void };
}

export interface FileRun {
  pipeline: Pipeline;
  file: string;
  saveToDb: boolean;
  source: RunSource;
  runDate?: string;
}

/** Small files are whole by then, and the answer knows whether they are known. */
const AT_ONCE_MS = 2_000;

export class FileRuns {
  private reading = 0;

  constructor(private readonly options: FileRunsOptions) {}

  /** Resolves when the body is whole. Throws {@link Problem}s as an upload does, and those of the path. */
  async receive(run: FileRun, onRun?: (id: string) => void): Promise<Placed> {
    const { folder, limits, stop, intake } = this.options;
    if (this.reading >= limits.bodiesAtOnce) {
      const detail = 'too many files are being read: try again soon';
      throw new Problem(503, 'too_many_uploads', detail, {}, { 'retry-after': '5' });
    }
    this.reading++;
    try {
      const { file, ...how } = run;
      const source = await openSourceFile(folder, file, limits, stop);
      let begun: string | null = null;
      const bytes = this.unlessCancelled(source.bytes, () => begun);
      const tell = (id: string) => {
        begun = id;
        onRun?.(id);
      };
      return await intake
        .receive({ ...how, fileName: source.fileName, bytes, onRun: tell })
        .finally(() => source.close());
    } finally {
      this.reading--;
    }
  }

  /** Resolves at once, at the latest with a run whose body is still being read. Nobody waits for its checks. */
  async start(run: FileRun): Promise<Pick<Placed, 'run' | 'duplicate' | 'kept'>> {
    const { store, log } = this.options;
    let receiving: Promise<Placed> | undefined;
    const begun = new Promise<string>((resolve) => {
      receiving = this.receive(run, resolve);
    });
    receiving!.then(({ decided }) => decided.catch(() => undefined)).catch(() => undefined);
    const placed = await Promise.race([receiving!, begun.then(() => sleep(AT_ONCE_MS, null))]);
    if (placed) return placed;
    const id = await begun;
    store.show(id);
    receiving!.catch((error: unknown) => log.warn({ err: error, run: id }, 'the file could not be read'));
    return { run: id, duplicate: false };
  }

  /** A run that is shown while its body is read may be cancelled meanwhile. */
  private async *unlessCancelled(bytes: AsyncIterable<Buffer>, id: () => string | null): AsyncGenerator<Buffer> {
    for await (const chunk of bytes) {
      yield chunk;
      const run = id();
      if (run !== null && this.options.store.get(run)?.state === 'cancelled') {
        throw new Problem(409, 'cancelled', 'the run was cancelled');
      }
    }
  }
}
