// The only importer of ioredis: keys and writes of features, the writer's markers, and reads for diffs.
export { openRedis, RedisStore, type OpenRedisOptions } from './client.js';
export { RedisError, type RedisErrorCode } from './errors.js';
export { featureWritesOf, viewOwner, type FeatureMessage, type FeatureWrite } from './feature-key.js';
export { type Marker, type MarkerCounts, type MarkerKey, type MarkerPosition } from './marker.js';
export { type ViewScan } from './read-features.js';
export {
  type EndOfUploadPass,
  type PassOutcome,
  type UpsertBatch,
  type UpsertOutcome,
  type WriteStatus,
} from './upsert-features.js';
