// Nest's side of libs/kafka: a transport that hands whole batches, not messages, to a controller, and whose handlers'
// failures come back as they were thrown. One server runs any number of groups (one per pipeline, say).
import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { BaseRpcContext, type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { lastValueFrom, type Observable, throwError } from 'rxjs';
import { KafkaError } from './errors.js';
import { PartitionTaskRunner, type TaskRunnerOptions } from './partition-tasks.js';
import type { PartitionTask, TaskBatch, TaskContext, TaskStatus } from './partition-task.js';
import type { KafkaClient } from './client.js';
import type { KafkaLogger } from './records.js';

/** One consumer group of the server; `name` is what handlers are told. */
export interface BatchGroup extends Omit<TaskRunnerOptions, 'client' | 'openTask' | 'onFatal' | 'logger'> {
  name: string;
}

export interface KafkaBatchServerOptions {
  client: KafkaClient;
  groups: BatchGroup[];
  logger: KafkaLogger;
  onFatal(error: Error): void;
}

/** Payload of `task.acquire` (answers the next offset, a bigint), `task.drop` and `task.tick`. */
export interface TaskMessage {
  group: string;
  partition: number;
}

/** Payload of `task.process`. */
export interface TaskBatchMessage extends TaskMessage {
  batch: TaskBatch;
}

export interface GroupStatus {
  group: string;
  joined: boolean;
  lastHeartbeatAtMs: number | null;
  tasks: TaskStatus[];
}

export const TASK_PATTERNS = {
  acquire: 'task.acquire',
  process: 'task.process',
  drop: 'task.drop',
  tick: 'task.tick',
} as const;

/** What a handler gets as `@Ctx()`. */
export class KafkaBatchContext extends BaseRpcContext<[TaskContext]> {
  constructor(context: TaskContext) {
    super([context]);
  }

  /** The task's hold on its partition. */
  getContext(): TaskContext {
    return this.getArgByIndex(0);
  }
}

/**
 * Lets an error through unchanged. Put `@UseFilters(RethrowFilter)` on the controller: without it Nest turns every error
 * into 'Internal server error', and the runner could not tell a fence from a fault.
 */
@Catch()
export class RethrowFilter implements RpcExceptionFilter<unknown> {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** What Nest makes of an error when no filter has taken it. */
function isSwallowedError(error: unknown): boolean {
  return !(error instanceof Error) && (error as { status?: unknown } | null)?.status === 'error';
}

export class KafkaBatchServer extends Server implements CustomTransportStrategy {
  override readonly propagatesEventHandlerErrors = true;
  readonly #runners: ReadonlyMap<string, PartitionTaskRunner>;

  constructor({ client, groups, logger, onFatal }: KafkaBatchServerOptions) {
    super();
    this.#runners = new Map(
      groups.map(({ name, ...group }) => [
        name,
        new PartitionTaskRunner({
          ...group,
          client,
          logger,
          onFatal,
          openTask: (partition) => this.#openTask(name, partition),
        }),
      ]),
    );
  }

  /** Starts every group; an error (a handler is missing, Kafka is away) goes to the callback, as Nest expects. */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      this.#assertHandlers();
      await Promise.all([...this.#runners.values()].map((runner) => runner.start()));
    } catch (error) {
      await this.close();
      callback(error);
      return;
    }
    callback();
  }

  /** Stops every group: handlers end, tasks are dropped, the groups are left. */
  async close(): Promise<void> {
    await Promise.all([...this.#runners.values()].map((runner) => runner.stop()));
  }

  /** The state of every group and task, for health checks and metrics. */
  groupStatus(): GroupStatus[] {
    return [...this.#runners].map(([group, runner]) => ({
      group,
      joined: runner.joined,
      lastHeartbeatAtMs: runner.lastHeartbeatAtMs,
      tasks: runner.status(),
    }));
  }

  /** Acquires the halted tasks of a group again: what made them halt may be over. */
  retryHalted(group: string): void {
    this.#runners.get(group)?.retryHalted();
  }

  /** Part of Nest's contract; what happens is told by each group's `onEvent`. */
  on(): never {
    throw new KafkaError('not_supported', 'KafkaBatchServer has no events: give each group an onEvent', {
      retriable: false,
    });
  }

  /** The runners by group name. */
  unwrap<T>(): T {
    return this.#runners as T;
  }

  #assertHandlers(): void {
    const missing = [TASK_PATTERNS.acquire, TASK_PATTERNS.process, TASK_PATTERNS.drop].filter(
      (pattern) => this.getHandlerByPattern(pattern) === null,
    );
    if (missing.length === 0) return;
    throw new KafkaError(
      'handler_missing',
      `no controller handles ${missing.join(', ')}: declare @MessagePattern (task.drop: @EventPattern) methods for them`,
      { retriable: false },
    );
  }

  #openTask(group: string, partition: number): PartitionTask {
    const message: TaskMessage = { group, partition };
    let lastContext: TaskContext | null = null;
    const task: PartitionTask = {
      acquire: async (context) => {
        lastContext = context;
        const next = await this.#call(TASK_PATTERNS.acquire, message, context);
        if (typeof next === 'bigint') return next;
        throw new KafkaError('bad_handler', `${TASK_PATTERNS.acquire} must answer the next offset as a bigint`, {
          retriable: false,
        });
      },
      process: async (batch, context) => {
        const payload: TaskBatchMessage = { ...message, batch };
        await this.#call(TASK_PATTERNS.process, payload, context);
      },
      drop: async () => {
        if (lastContext !== null) await this.#call(TASK_PATTERNS.drop, message, lastContext);
      },
    };
    if (this.getHandlerByPattern(TASK_PATTERNS.tick) === null) return task;
    return {
      ...task,
      tick: async (context) => {
        await this.#call(TASK_PATTERNS.tick, message, context);
      },
    };
  }

  /** Calls a handler and unwraps its answer; rejects with the very error the handler threw. */
  async #call(pattern: string, payload: TaskMessage, context: TaskContext): Promise<unknown> {
    const handler = this.getHandlerByPattern(pattern);
    if (handler === null) throw new KafkaError('handler_missing', `nothing handles ${pattern}`, { retriable: false });
    try {
      const answer: Promise<unknown> = handler(payload, new KafkaBatchContext(context));
      return await lastValueFrom(this.transformToObservable(answer), { defaultValue: undefined });
    } catch (error) {
      if (!isSwallowedError(error)) throw error;
      throw new KafkaError(
        'error_swallowed',
        `${pattern} failed and Nest hid why: put @UseFilters(RethrowFilter) on the controller`,
        { retriable: false, cause: error },
      );
    }
  }
}
