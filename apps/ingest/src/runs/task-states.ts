// What aggregators have told of their memory, by pipeline: uploads are turned away where a task is nearly full.
import { parseRunsKey, type TaskState } from '#contracts';
import type { KafkaRecord } from '#kafka';

export class TaskStates {
  private readonly byPipeline = new Map<string, Map<string, TaskState>>();

  /** Takes a record of `caudal.runs`; false when it tells of something else. */
  load({ key, value }: KafkaRecord): boolean {
    const name = key!.toString();
    const parsed = parseRunsKey(name);
    if (parsed?.kind !== 'state') return false;
    const tasks = this.byPipeline.get(parsed.pipeline) ?? new Map<string, TaskState>();
    if (value === null) tasks.delete(name);
    else tasks.set(name, JSON.parse(value.toString()) as TaskState);
    this.byPipeline.set(parsed.pipeline, tasks);
    return true;
  }

  /** The worst of a pipeline's tasks; null while all have room. */
  worst(pipeline: string): TaskState | null {
    const tasks = [...(this.byPipeline.get(pipeline)?.values() ?? [])];
    return tasks.find(({ level }) => level === 'full') ?? tasks[0] ?? null;
  }
}
