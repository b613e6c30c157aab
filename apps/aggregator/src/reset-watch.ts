// A task that has halted reads nothing, so it does not meet the reset that is to end its halt: while there is one, the
// pipeline's generation is looked at.
import { pipelineTopics } from '#contracts';
import { readGeneration, type KafkaBatchServer, type KafkaClient } from '#kafka';

const LOOK_MS = 2_000;

export class ResetWatch {
  /** By pipeline, as last seen. */
  private readonly generations = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  private looking: Promise<void> | null = null;

  constructor(
    private readonly options: {
      client: KafkaClient;
      prefix: string;
      transport: Pick<KafkaBatchServer, 'groupStatus' | 'retryHalted'>;
      onError: (error: unknown) => void;
    },
  ) {
    this.timer = setInterval(() => {
      this.looking ??= this.look().finally(() => (this.looking = null));
    }, LOOK_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  private async look(): Promise<void> {
    try {
      const halted = this.options.transport
        .groupStatus()
        .filter(({ tasks }) => tasks.some(({ state }) => state === 'halted'))
        .map(({ group }) => group);
      for (const pipeline of new Set(halted.map((group) => group.split('/')[0]!))) {
        await this.lookAt(pipeline, halted);
      }
    } catch (error) {
      this.options.onError(error);
    }
  }

  /** Once in the first look too, since the reset may have come before it: a task that is to halt does so again. */
  private async lookAt(pipeline: string, halted: readonly string[]): Promise<void> {
    const { client, prefix, transport } = this.options;
    const generation = await readGeneration(client, pipelineTopics(prefix, pipeline).uploads);
    if (this.generations.get(pipeline) === generation) return;
    this.generations.set(pipeline, generation);
    for (const group of halted) if (group.split('/')[0] === pipeline) transport.retryHalted(group);
  }
}
