// `caudal reset P`: a new generation, written into `uploads` and `rows` by the publisher. Nothing else is called: tasks and
// writers find it there, take back what the pipeline has left, and go on where the generation says.
import { pipelineTopics, type Pipeline, type StoredRun } from '#contracts';
import type { KafkaClient } from '#kafka';
import { Problem } from '../problem.js';
import type { RunStore } from '../runs/run-store.js';
import type { UploadQueue } from '../uploads/upload-queue.js';
import { replayStart } from './replay-start.js';

export interface PipelineResetsOptions {
  client: KafkaClient;
  prefix: string;
  pipelines: ReadonlyMap<string, Pipeline>;
  queues: ReadonlyMap<string, UploadQueue>;
  store: RunStore;
  now: () => number;
}

/** `replay`: kept rows are read again. `acceptLoss`: also where rows are gone, or were not aggregated yet. */
interface How {
  replay: boolean;
  acceptLoss: boolean;
}

const PUBLISHED = new Set<StoredRun['state']>(['publishing', 'aggregating', 'writing', 'interrupted']);

export class PipelineResets {
  constructor(private readonly options: PipelineResetsOptions) {}

  /** Resolves when the new generation stands in Kafka. Throws a {@link Problem} (404, 409), or a KafkaError. */
  async reset(name: string, how: How): Promise<object> {
    const { pipelines, queues } = this.options;
    const queue = queues.get(name);
    if (!pipelines.has(name) || !queue) {
      throw new Problem(404, 'unknown_pipeline', 'there is no pipeline of this name');
    }
    let unfinished: StoredRun[] = [];
    let from: bigint[] = [];
    const generation = await queue.reset(async () => {
      unfinished = this.unfinished(name);
      if (unfinished.length > 0 && !how.acceptLoss) throw notCounted(unfinished);
      if (how.replay && queue.refusal !== null) throw keysChanged(queue.refusal);
      from = how.replay ? await this.replayFrom(name, how) : await this.logEnds(name);
      return from;
    });
    if (generation === null) throw busy();
    await Promise.all(unfinished.map((run) => this.giveUp(run)));
    return {
      pipeline: name,
      generation: generation.generation,
      replay: how.replay,
      accept_loss: how.acceptLoss,
      from: from.map(String),
      runs_given_up: unfinished.map(({ id }) => id),
      message:
        'state, features and Redis keys of the pipeline are being emptied' +
        (how.replay ? ', and kept rows are read again: the lag says how far' : '; they fill with the next files'),
    };
  }

  /** Runs of which rows are published, and whose features are not all in Redis. */
  private unfinished(pipeline: string): StoredRun[] {
    return this.options.store.unfinished().filter((run) => {
      return run.pipeline === pipeline && run.save_to_db && PUBLISHED.has(run.state);
    });
  }

  private async giveUp(run: StoredRun): Promise<void> {
    const message = 'the pipeline was reset before all features of this file were written: send the file again';
    const error = { code: 'reset', message, retriable: false };
    await this.options.store.apply(run.id, { type: 'ended', state: 'failed', error, at: this.options.now() });
  }

  private async logEnds(name: string): Promise<bigint[]> {
    const { client, prefix } = this.options;
    return (await client.offsets(pipelineTopics(prefix, name).rows)).map(({ end }) => end);
  }

  private async replayFrom(name: string, { acceptLoss }: How): Promise<bigint[]> {
    const { client, prefix } = this.options;
    const start = await replayStart(client, pipelineTopics(prefix, name).rows);
    if (start.firstKeptMs === null || acceptLoss) return start.from;
    const kept = new Date(start.firstKeptMs).toISOString();
    const detail = `rows before ${kept} are gone (retention.rows): replay what is left with accept_loss, or reset without replay`;
    throw new Problem(409, 'rows_gone', detail, { first_kept: kept });
  }
}

function busy(): Problem {
  const detail = 'a file of this pipeline is being published: try again when it is out';
  return new Problem(409, 'upload_in_progress', detail);
}

function keysChanged(refusal: string): Problem {
  const detail = `rows lie in their partitions by what was before (${refusal}): reset without replay, then send the files again`;
  return new Problem(409, 'keys_changed', detail);
}

function notCounted(runs: readonly StoredRun[]): Problem {
  const detail =
    'files of this pipeline are published and not yet all in Redis: wait for their runs, or give them up with accept_loss';
  return new Problem(409, 'runs_in_progress', detail, { runs: runs.slice(0, 100).map(({ id }) => id) });
}
