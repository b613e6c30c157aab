// What a changed pipeline file or a reset means for a task: which state goes on, what is taken back and by whom, and when
// it must not go on at all.
import { stageOf, type Pipeline, type PipelineChange, type Stage, type View } from '#contracts';
import { KafkaError, readActivePipeline, type KafkaClient } from '#kafka';
import type { OffsetRecord } from './changelog-records.js';

type Fingerprint = OffsetRecord['fingerprint'];
type StoredViews = Pick<OffsetRecord, 'fingerprint' | 'definitions'>;

/** Keys and partitions decide where state lies: a change of theirs must be undone, or the state given up. Halts this task. */
export function assertSameKeys(pipeline: string, stored: Fingerprint, now: Fingerprint): void {
  const changes: string[] = [];
  if (JSON.stringify(stored.key) !== JSON.stringify(now.key)) {
    changes.push(`the key columns were ${stored.key.join(', ')} and are now ${now.key.join(', ')}`);
  }
  if (stored.partitions !== now.partitions) {
    changes.push(`there were ${stored.partitions} partitions and are now ${now.partitions}`);
  }
  if (changes.length === 0) return;
  throw new KafkaError(
    'pipeline_changed',
    `pipeline ${pipeline} does not fit the state in Kafka: ${changes.join('; ')}. Undo the change, or give the state up ` +
      `with "caudal reset ${pipeline}"`,
    { retriable: false, halt: true },
  );
}

/** Whether the state of a view goes on: it was there, and is what it was. */
export function goesOn(view: string, stored: Fingerprint, now: Pick<Fingerprint, 'views'>): boolean {
  return stored.views[view] !== undefined && stored.views[view] === now.views[view];
}

/** Whether a view was away from the pipeline file, or has begun later than this task knows: it begins anew then. */
export const beganAnew = (view: string, known: PipelineChange['began'], now: PipelineChange['began']): boolean =>
  (now[view] ?? 0) > (known[view] ?? 0);

export const definitionsOf = (pipeline: Pipeline): View[] => pipeline.views.map((view) => ({ ...view, features: [] }));

/** Whether tasks of this stage take back what a view has left in `features`: those that write it now, or else rows tasks. */
export function retracts(pipeline: Pipeline, stage: Stage, view: string): boolean {
  const found = pipeline.views.find(({ name }) => name === view);
  return (found === undefined ? 'rows' : stageOf(pipeline, found)) === stage;
}

/**
 * Where the keys of the views are whose state stands under `stored`: of those that go on, where the pipeline file says now,
 * since another Redis key is no change of state.
 */
export function definitionsNow(
  { fingerprint, definitions }: StoredViews,
  own: Fingerprint,
  pipeline: Pipeline,
): View[] {
  const now = new Map(definitionsOf(pipeline).map((view) => [view.name, view]));
  return definitions.map((view) => (goesOn(view.name, fingerprint, own) ? now.get(view.name)! : view));
}

export const sameViews = (a: Record<string, string>, b: Record<string, string>): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.keys(a).every((view) => a[view] === b[view]);

/**
 * A change to other views than those of our pipeline file (`own`) was followed by another one: else our file is not
 * ingest's, and the task halts.
 */
export async function assertSuperseded(
  client: KafkaClient,
  uploadsTopic: string,
  pipeline: string,
  own: Fingerprint,
): Promise<void> {
  const current = await readActivePipeline(client, uploadsTopic);
  if (current !== null && sameViews(current.views, own.views)) return;
  throw new KafkaError(
    'pipeline_changed',
    `ingest publishes rows of pipeline ${pipeline} under another pipeline file than this aggregator was started with: ` +
      'give both the same file and restart the aggregator',
    { retriable: false, halt: true },
  );
}

/** Raised within a task, so that it is acquired again under the new generation. */
export const generationMoved = (): KafkaError =>
  new KafkaError('generation_moved', 'the pipeline was reset: the task is acquired again and begins anew', {
    retriable: true,
  });
