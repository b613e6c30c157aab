// What brings files in and carries news out beside HTTP, and what is tidied up meanwhile: opened with the services, run
// until they stop.
import type { Pipeline } from '#contracts';
import type { IngestMetrics, Logger, ServiceConfig } from '#runtime';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileRuns } from './files/file-runs.js';
import { InboxFolder } from './inbox/folder.js';
import { Inbox } from './inbox/inbox.js';
import { Notifier } from './notify/notifier.js';
import { notifySecret } from './notify/notify-secret.js';
import { expireRuns } from './runs/retention.js';
import type { RunStore } from './runs/run-store.js';
import { Scheduler } from './schedule/scheduler.js';
import type { Intake } from './uploads/intake.js';
import type { SpoolKeeper } from './uploads/spool-keeper.js';

const INBOX_LOOK_MS = 1_000;
/** Writers may pause, network drives more than others. */
const INBOX_STABLE_MS = 4_000;
const TIDY_MIN_MS = 5_000;
const TIDY_MAX_MS = 10 * 60_000;

export interface WaysInArgs {
  config: ServiceConfig;
  logger: Logger;
  pipelines: ReadonlyMap<string, Pipeline>;
  store: RunStore;
  intake: Intake;
  keeper: SpoolKeeper;
  stop: AbortSignal;
}

/** `done` resolves when all of it has stopped. */
export async function openWaysIn(args: WaysInArgs): Promise<{ fileRuns: FileRuns; done: Promise<unknown> }> {
  const { config, logger: log, pipelines, store, intake, stop } = args;
  const { limits, dataDir } = config;
  const folder = join(dataDir, 'files');
  const fileRuns = new FileRuns({ folder, limits, intake, store, stop, log });
  const now = Date.now;
  const running: Promise<void>[] = [tidy(args)];
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    log.warn({ err: error }, 'the data folder cannot be made: there is nothing to run from it');
  });
  for (const pipeline of pipelines.values()) {
    const { schedule, name } = pipeline;
    const inbox = new InboxFolder(join(dataDir, 'inbox', name));
    const looks = { lookMs: INBOX_LOOK_MS, stableMs: INBOX_STABLE_MS };
    running.push(new Inbox({ pipeline, folder: inbox, limits, intake, store, ...looks, now, stop, log }).run());
    if (schedule) running.push(new Scheduler({ pipeline, schedule, fileRuns, intake, store, now, stop, log }).run());
  }
  return { fileRuns, done: Promise.all(running) };
}

/** Ended runs and kept bodies go when their time is over. */
async function tidy({ store, pipelines, keeper, stop, logger }: WaysInArgs): Promise<void> {
  const shortest = Math.min(...[...pipelines.values()].map(({ retention }) => retention.runsMs));
  const everyMs = Math.min(Math.max(shortest / 10, TIDY_MIN_MS), TIDY_MAX_MS);
  while (!stop.aborted) {
    await sleep(everyMs, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) return;
    try {
      const expired = expireRuns({ store, pipelines, now: Date.now });
      if (expired > 0) logger.info({ expired }, 'runs were deleted by retention');
      await keeper.sweep();
    } catch (error) {
      logger.warn({ err: error }, 'tidying up failed; it is tried again');
    }
  }
}

/** Null when no pipeline wants to tell anybody. */
export async function openNotifier(
  args: Pick<WaysInArgs, 'config' | 'logger' | 'pipelines' | 'store' | 'stop'> & { metrics: IngestMetrics },
): Promise<Notifier | null> {
  const { config, pipelines, logger: log, metrics, store, stop } = args;
  if (![...pipelines.values()].some(({ notify }) => notify !== null)) return null;
  const { secret, path } = await notifySecret(config.notifySecret, config.stateDir);
  if (path !== null)
    log.info({ path }, 'notices are signed with the secret in this file (CAUDAL_NOTIFY_SECRET is not set)');
  const onDelivery = (pipeline: string, outcome: 'delivered' | 'given_up') =>
    metrics.notices.inc({ pipeline, outcome });
  return new Notifier({ pipelines, store, secret, now: Date.now, stop, log, onDelivery });
}
