// What services with consumer groups tell of them: whether they are ready, and what happened to their tasks.
import { KafkaError } from './errors.js';
import type { GroupStatus } from './batch-transport.js';
import type { TaskEvent, TaskStatus } from './partition-task.js';
import type { KafkaLogger } from './records.js';
import { restoringText } from './restore-progress.js';

/** Reasons why a service is not ready; empty when every check answers and every owned task is restored and consuming. */
export async function groupsNotReady(args: {
  checks: Record<string, () => Promise<unknown>>;
  groups: readonly GroupStatus[];
}): Promise<string[]> {
  const reasons: string[] = [];
  for (const group of args.groups) {
    if (!group.joined) reasons.push(`not_joined: ${group.group}`);
    for (const task of group.tasks) {
      if (task.state === 'ready') continue;
      reasons.push(`task_${task.state}: ${group.group}/${task.partition}${detailsOf(task)}`);
    }
  }
  await Promise.all(
    Object.entries(args.checks).map(([name, check]) => check().catch(() => reasons.push(`${name}_away`))),
  );
  return reasons;
}

/** In brackets: how far a restore is, and why the task halted or its last acquire failed. */
function detailsOf({ restoring, error }: TaskStatus): string {
  const details = [...(restoring ? [restoringText(restoring)] : []), ...(error ? [error] : [])];
  return details.length === 0 ? '' : ` (${details.join('; ')})`;
}

/** One log line per event of a task; `group` is the pipeline. */
export function logTaskEvent(logger: KafkaLogger, group: string, event: TaskEvent): void {
  const { kind, ...fields } = event;
  const printable = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  );
  const line = { group, ...printable };
  if (kind === 'halted') logger.error('a task has halted: it needs a person', line);
  else if (kind === 'failed' && waitsForIngest(event.error))
    logger.info('task waits for ingest to open the pipeline', line);
  else if (kind === 'failed' || kind === 'restarting') logger.warn(`task ${kind}; it is acquired again`, line);
  else logger.info(`task ${kind}`, line);
}

/** At the first start ever the services come up side by side: that is no fault. */
function waitsForIngest(error: unknown): boolean {
  return error instanceof KafkaError && error.code === 'no_generation';
}
