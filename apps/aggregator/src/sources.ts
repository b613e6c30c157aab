// How far each source of a merge task has come. Sources send the same control records in the same order, so a count says
// which: one takes effect when the last source has sent it, which makes stream time the minimum over the sources.
export class Sources {
  /** `counts`: control records that each source has sent, by its number. */
  constructor(private readonly counts: number[]) {}

  static restored(counts: readonly number[] | undefined, sources: number): Sources {
    return new Sources(Array.from({ length: sources }, (_, source) => counts?.[source] ?? 0));
  }

  copy(): Sources {
    return new Sources([...this.counts]);
  }

  /** Whether the next control record of `source` is one that all others have sent already. */
  waitedFor(source: number): boolean {
    return this.counts.every((count, other) => other === source || count > this.counts[source]!);
  }

  has(source: number): boolean {
    return source in this.counts;
  }

  arrived(source: number): void {
    this.counts[source]!++;
  }

  /** Control records by which each source is behind the furthest one. */
  behind(): number[] {
    const furthest = Math.max(...this.counts);
    return this.counts.map((count) => furthest - count);
  }

  toJSON(): number[] {
    return this.counts;
  }
}
