// For the writer's spec: a Redis in memory that keeps the marker's rules and can lose everything. What the scripts do in
// a real one is shown in test/integration.
import type {
  EndOfUploadPass,
  Marker,
  MarkerCounts,
  PassOutcome,
  RedisStore,
  UpsertBatch,
  UpsertOutcome,
} from '#redis';

type Move = EndOfUploadPass;

export class FakeRedis {
  /** Offset of the newest write by key. */
  readonly revisions = new Map<string, bigint>();
  marker: MarkerCounts | null = null;
  failedKeys: string[] = [];
  /** Told before and after each command; an error that it throws is what the caller sees. */
  onCommand: (command: string, when: 'before' | 'after') => void = () => undefined;
  /** Told at each accepted pass of an end-of-upload record. */
  onPass: (nextOffset: bigint) => void = () => undefined;

  flush(): void {
    this.revisions.clear();
    this.marker = null;
  }

  /** What the task takes for a store. */
  store(): RedisStore {
    const store = {
      readMarker: () =>
        this.command('readMarker', (): Marker | null => this.marker && { ...this.marker, failedKeys: this.failedKeys }),
      upsertFeatures: (batch: UpsertBatch) => this.command('upsert', () => this.upsert(batch)),
      passEndOfUpload: (pass: EndOfUploadPass) => this.command('pass', () => this.pass(pass)),
    };
    return store as unknown as RedisStore;
  }

  private async command<Answer>(name: string, run: () => Answer): Promise<Answer> {
    this.onCommand(name, 'before');
    const answer = run();
    this.onCommand(name, 'after');
    return answer;
  }

  private hasMoved({ expected }: Move): boolean {
    return expected?.offset !== this.marker?.offset || expected?.generation !== this.marker?.generation;
  }

  private offsetAfter({ fromBeginning, expected, nextOffset }: Move): bigint {
    if (fromBeginning) return nextOffset;
    if (expected === null) throw new Error('a missing marker is created from the beginning of the log only');
    return nextOffset > expected.offset ? nextOffset : expected.offset;
  }

  private upsert(batch: UpsertBatch): UpsertOutcome {
    const offset = this.offsetAfter(batch);
    if (this.hasMoved(batch)) return { outcome: 'moved' };
    let written = batch.fromBeginning ? 0 : (this.marker?.written ?? 0);
    for (const write of batch.writes) {
      const stored = this.revisions.get(write.key) ?? -1n;
      if (write.offset > stored) this.revisions.set(write.key, write.offset);
      if (batch.fromBeginning || write.offset >= batch.expected!.offset) written++;
    }
    this.marker = { generation: batch.generation, offset, written, superseded: 0, failed: 0 };
    return { outcome: 'written', statuses: batch.writes.map(() => 'written'), marker: this.marker };
  }

  private pass(pass: EndOfUploadPass): PassOutcome {
    const offset = this.offsetAfter(pass);
    if (!pass.fromBeginning && pass.nextOffset <= pass.expected!.offset) return { outcome: 'already_passed' };
    if (this.hasMoved(pass)) return { outcome: 'moved' };
    this.marker = { generation: pass.generation, offset, written: 0, superseded: 0, failed: 0 };
    this.onPass(pass.nextOffset);
    return { outcome: 'passed', marker: this.marker };
  }
}
