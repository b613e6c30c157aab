// The public face of libs/kafka, the only importer of kafkajs.
export * from './records.js';
export * from './partition-task.js';
export { KafkaError, isFenced, toKafkaError } from './errors.js';
export { installPatches } from './patches/install.js';
export { partitionForKey } from './partition-for-key.js';
export { KafkaClient, type KafkaClientOptions } from './client.js';
export { PlainProducer, Transaction, TransactionalProducer } from './producers.js';
export type { ReadPartitionArgs, ReadProgress } from './read-partition.js';
export type { TailPartitionArgs } from './tail-partition.js';
export { PartitionTaskRunner, type TaskRunnerOptions } from './partition-tasks.js';
export {
  KafkaBatchContext,
  KafkaBatchServer,
  RethrowFilter,
  TASK_PATTERNS,
  type BatchGroup,
  type GroupStatus,
  type KafkaBatchServerOptions,
  type TaskBatchMessage,
  type TaskMessage,
} from './batch-transport.js';
export { readGeneration, readActivePipeline, readGenerationRecord } from './generation.js';
export type { Restoring } from './restore-progress.js';
export { groupsNotReady, logTaskEvent } from './group-health.js';
