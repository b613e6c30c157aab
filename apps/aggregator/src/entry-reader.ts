// Restoring: the entries of a changelog into the windows of a task. Until Kafka compacts it, a changelog holds more than
// what counts: entries of views that the pipeline file had once, or had otherwise, and behind them their deletions.
import type { GroupBy } from '#windowing';
import type { StateShare } from './state-budget.js';

export class EntryReader {
  /** By key, what does not fit the pipeline file; a later deletion of the key settles it. */
  private readonly unreadable = new Map<string, unknown>();
  private full: unknown = null;

  constructor(
    readonly groupBy: GroupBy,
    private readonly share: StateShare,
  ) {}

  read(key: string, value: Buffer | null): void {
    if (this.full !== null) return;
    try {
      this.groupBy.restore(key, value === null ? null : value.toString());
      this.unreadable.delete(key);
    } catch (error) {
      if (value === null) this.unreadable.delete(key);
      else this.unreadable.set(key, error);
      return;
    }
    this.share.set(this.groupBy.bytes);
    try {
      this.share.assertRoom();
    } catch (error) {
      this.full = error;
    }
  }

  /** At the changelog's end. Throws WindowingError `bad_changelog`, KafkaError `state_full`. */
  assertComplete(): void {
    if (this.full !== null) throw this.full;
    for (const error of this.unreadable.values()) throw error;
  }
}
