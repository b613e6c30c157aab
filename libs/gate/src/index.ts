// What a file is by itself, without Kafka and Redis: its typed rows and rejections, the verdicts on it, its features from
// empty state. Ingest's gate and rehearsals stand on it, and so does `caudal dry-run`.
export { FileComputation, TooManyGroups } from './compute-file.js';
export { examineFile, type Examined, type ExaminedFile } from './examine-file.js';
export { refusal } from './verdict.js';
