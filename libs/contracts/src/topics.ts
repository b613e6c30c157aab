// Names and settings of every topic. Services create what is missing at start; nobody else names a topic.
import { LIMITS } from './limits.js';
import { viewsOfStage, type Pipeline, type Retention } from './pipeline.js';

export interface TopicSettings {
  name: string;
  partitions: number;
  config: Record<string, string>;
}

export interface PipelineTopics {
  rows: string;
  features: string;
  late: string;
  deadLetter: string;
  uploads: string;
  changelog: string;
  /** Contributions to views that are not grouped by the key columns; this and its changelog only where there are such views. */
  partials: string;
  partialsChangelog: string;
}

/** The topics of one pipeline, e.g. `caudal.empresas.rows`. */
export function pipelineTopics(prefix: string, pipeline: string): PipelineTopics {
  const base = `${prefix}.${pipeline}`;
  return {
    rows: `${base}.rows`,
    features: `${base}.features`,
    late: `${base}.late`,
    deadLetter: `${base}.dead-letter`,
    uploads: `${base}.uploads`,
    changelog: `${base}.changelog`,
    partials: `${base}.partials`,
    partialsChangelog: `${base}.partials-changelog`,
  };
}

/** The topics that all pipelines share. */
export function sharedTopics(prefix: string): { runs: string; runParts: string; ingest: string } {
  return { runs: `${prefix}.runs`, runParts: `${prefix}.run-parts`, ingest: `${prefix}.ingest` };
}

/** Transactional ids and consumer groups: each names prefix and pipeline, so deployments never meet. */
export const transactionalIds = {
  ingest: (prefix: string) => `${prefix}.ingest`,
  runs: (prefix: string) => `${prefix}.runs`,
  publisher: (prefix: string, pipeline: string) => `${prefix}.${pipeline}.publisher`,
  rowsTask: (prefix: string, pipeline: string, partition: number) => `${prefix}.${pipeline}.rows.${partition}`,
  partialsTask: (prefix: string, pipeline: string, partition: number) => `${prefix}.${pipeline}.partials.${partition}`,
};
export const groupIds = {
  rows: (prefix: string, pipeline: string) => `${prefix}.${pipeline}.aggregator`,
  partials: (prefix: string, pipeline: string) => `${prefix}.${pipeline}.aggregator-partials`,
  writer: (prefix: string, pipeline: string) => `${prefix}.${pipeline}.feature-writer`,
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const messageBytes = { 'max.message.bytes': String(LIMITS.topicMessageBytes) };
const compactSettings = {
  ...messageBytes,
  'cleanup.policy': 'compact',
  'segment.bytes': String(64 * 1024 * 1024),
  'segment.ms': '3600000',
  'min.cleanable.dirty.ratio': '0.1',
  'delete.retention.ms': String(7 * DAY_MS),
};
const deleteSettings = (retentionMs: number) => ({
  ...messageBytes,
  'cleanup.policy': 'delete',
  'retention.ms': String(retentionMs),
});

/**
 * `partials`: whether some view is not grouped by the key columns. What such views wait for is kept as long as rows are.
 * `ttlsMs`: the ttl of each view, null where a view has none. Old features may go only when all of them expire.
 */
export function pipelineTopicSettings(args: {
  prefix: string;
  pipeline: string;
  partitions: number;
  retention: Retention;
  partials: boolean;
  ttlsMs: readonly (number | null)[];
}): TopicSettings[] {
  const names = pipelineTopics(args.prefix, args.pipeline);
  const ttls = args.ttlsMs.filter((ttl) => ttl !== null);
  const features =
    ttls.length === args.ttlsMs.length
      ? {
          ...compactSettings,
          'cleanup.policy': 'compact,delete',
          'retention.ms': String(Math.max(...ttls) + DAY_MS),
        }
      : compactSettings;
  const { partitions, retention } = args;
  return [
    { name: names.rows, partitions, config: deleteSettings(retention.rowsMs) },
    { name: names.features, partitions, config: features },
    { name: names.late, partitions, config: deleteSettings(retention.deadLetterMs) },
    { name: names.deadLetter, partitions, config: deleteSettings(retention.deadLetterMs) },
    { name: names.uploads, partitions: 1, config: compactSettings },
    { name: names.changelog, partitions, config: compactSettings },
    ...(args.partials
      ? [
          { name: names.partials, partitions, config: deleteSettings(retention.rowsMs) },
          { name: names.partialsChangelog, partitions, config: compactSettings },
        ]
      : []),
  ];
}

/** `caudal.runs`, `caudal.run-parts` and `caudal.ingest` (the lease; only its last hour counts); `runsMs` is the longest retention that any pipeline asks for. */
export function sharedTopicSettings(prefix: string, runsMs: number): TopicSettings[] {
  const names = sharedTopics(prefix);
  return [
    { name: names.runs, partitions: 1, config: compactSettings },
    { name: names.runParts, partitions: 1, config: deleteSettings(runsMs) },
    { name: names.ingest, partitions: 1, config: { ...deleteSettings(HOUR_MS), 'segment.ms': String(HOUR_MS) } },
  ];
}

/** Every topic of a deployment. Each service creates what is missing at start, so that their order does not matter. */
export function allTopicSettings(prefix: string, partitions: number, pipelines: Iterable<Pipeline>): TopicSettings[] {
  const all = [...pipelines];
  const runsMs = Math.max(...all.map((pipeline) => pipeline.retention.runsMs));
  return [
    ...sharedTopicSettings(prefix, runsMs),
    ...all.flatMap((pipeline) =>
      pipelineTopicSettings({
        prefix,
        pipeline: pipeline.name,
        partitions,
        retention: pipeline.retention,
        partials: viewsOfStage(pipeline, 'partials').length > 0,
        ttlsMs: pipeline.views.map((view) => view.redis.ttlMs),
      }),
    ),
  ];
}
