// All runs that ingest remembers: those under way as they are, ended ones packed (a few hundred bytes each), so that tens
// of thousands of them cost little and any of them is answered without asking Kafka.
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { ENDED_STATES, RUN_STATES, type StoredRun } from '#contracts';
import { foldRun, newRun, type RunEvent } from './fold-run.js';
import { RunIndex, type RunFilter } from './run-index.js';

export class PackedRuns {
  private readonly runs = new Map<string, StoredRun | Packed>();
  private readonly index = new RunIndex();

  get(id: string): StoredRun | undefined {
    const found = this.runs.get(id);
    return found instanceof Packed ? found.unpack() : found;
  }

  has(id: string): boolean {
    return this.runs.has(id);
  }

  set(run: StoredRun): void {
    const before = this.runs.get(run.id);
    if (before?.state !== run.state) {
      if (before) this.index.remove({ id: run.id, pipeline: run.pipeline, state: before.state });
      this.index.add(run);
    }
    this.runs.set(run.id, ENDED_STATES.has(run.state) ? new Packed(run) : run);
  }

  delete(id: string): void {
    const run = this.get(id);
    if (!run) return;
    this.index.remove(run);
    this.runs.delete(id);
  }

  /** Ids, newest first, beginning after `cursor`. */
  newest(filter: RunFilter, cursor?: string): Generator<string> {
    return this.index.newest(filter, cursor);
  }

  /** Ids below `before`, oldest first. */
  olderThan(filter: RunFilter, before: string): string[] {
    return this.index.olderThan(filter, before);
  }

  countByState(): Map<string, number> {
    const counts = RUN_STATES.map((state): [string, number] => [state, this.index.count({ state })]);
    return new Map(counts.filter(([, count]) => count > 0));
  }
}

class Packed {
  readonly state: StoredRun['state'];
  private readonly bytes: Buffer;

  constructor(run: StoredRun) {
    this.state = run.state;
    const packed = deflateRawSync(JSON.stringify(run), PACKING);
    // A buffer of its own size: zlib's result may be a view of something larger.
    this.bytes = Buffer.allocUnsafeSlow(packed.length);
    packed.copy(this.bytes);
  }

  unpack(): StoredRun {
    return JSON.parse(inflateRawSync(this.bytes, PACKING).toString()) as StoredRun;
  }
}

/** What runs look like: they are packed by how they differ from this one. */
function typicalRun(): string {
  const at = Date.UTC(2026, 0, 1);
  const check = { severity: 'error', verdict: 'pass', observed: 0, expected: 0.1, reason: null } as const;
  const events: RunEvent[] = [
    { type: 'step_started', step: 'check_redis', at },
    { type: 'step_done', step: 'check_redis', at },
    { type: 'step_started', step: 'receive', at },
    { type: 'received', sha256: '', bytes: 1, at },
    { type: 'step_started', step: 'check', at },
    {
      type: 'checked',
      rows: { read: 1, accepted: 1, rejected: 0 },
      checks: [
        { name: 'header', type: 'schema', ...check },
        { name: 'max_error_fraction', type: 'max_error_fraction', ...check },
      ],
      dialect: { encoding: 'utf-8', bomBytes: 0, delimiter: ',', decimalMark: '.' },
      evidence: { partition: 0, from: '0', to: '1' },
      at,
    },
    { type: 'queued', order: 1 },
    { type: 'publishing', sequence: 1, at },
    { type: 'published', published: 1, expects: { rows: 1 }, deadLetters: null, at },
  ];
  const fresh = newRun({ id: '', pipeline: '', pipelineText: '', fileName: null, saveToDb: true, createdAtMs: at });
  const step = { stage: 'rows', partition: 0, sequence: 1, written: 1, superseded: 0, failed: 0, failed_keys: [] };
  const report = { upload: '', pipeline: '', ...step, late: 0, late_by_view: {}, aggregated_at: at };
  const run = foldRun(events.reduce(foldRun, fresh), { type: 'reports', reports: [report], at });
  return JSON.stringify(run);
}

const PACKING = {
  dictionary: Buffer.from(typicalRun()),
  level: constants.Z_DEFAULT_COMPRESSION,
  windowBits: 14,
  memLevel: 7,
};
