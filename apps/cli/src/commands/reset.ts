// caudal reset P: a pipeline begins anew; what that means is decided and done by the services.
import type { Api } from '../api.js';
import type { Terminal } from '../terminal.js';

export interface ResetOptions {
  /** Kept rows are read again under the new generation. */
  readonly replay: boolean;
  /** Goes on although rows are gone that were never counted, or cannot be replayed. */
  readonly acceptLoss: boolean;
}

/** 202 with what will happen; a Failure with the way out when it is refused. */
export async function reset(api: Api, terminal: Terminal, pipeline: string, options: ResetOptions): Promise<void> {
  const path = `/v1/pipelines/${encodeURIComponent(pipeline)}/reset`;
  const answer = await api.post(path, { replay: options.replay, accept_loss: options.acceptLoss });
  terminal.document(answer);
  const told = typeof answer.message === 'string' ? answer.message : 'its state, features and Redis keys are emptied';
  terminal.print(`pipeline ${pipeline} is being reset: ${told}`);
}
