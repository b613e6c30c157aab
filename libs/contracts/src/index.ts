// The pipeline file and every wire format: what passes between services, and between Caudal and the outside.
export * from './check.js';
export * from './control-record.js';
export * from './dead-letter.js';
export * from './duration.js';
export * from './entry-size.js';
export * from './feature.js';
export * from './group-key.js';
export * from './limits.js';
export * from './pipeline.js';
export * from './pipeline-file.js';
export * from './pipeline-folder.js';
export * from './redis-key-template.js';
export * from './row.js';
export * from './run.js';
export * from './time-zone.js';
export * from './topics.js';
export * from './upload-progress.js';
