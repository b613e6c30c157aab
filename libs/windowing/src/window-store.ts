// The open entries of one view: window -> group -> entry, with the windows of time in the order of their ends.
import type { FixedWindows } from './fixed-windows.js';
import type { WindowId } from './window.js';

/** What is kept of one (group, window). */
export interface Entry {
  /** The last upload that touched it. */
  upload: string;
  /** One per feature of the view, in its order. */
  readonly accumulators: readonly unknown[];
  /**
   * Only where contributions of several sources are merged: the latest of their stream times, epoch ms. The merging
   * task's own says how far the slowest source is, which differs from one replay to the next.
   */
  streamTime?: number | null;
}

export interface OpenEntry<E extends Entry = Entry> {
  readonly id: WindowId;
  readonly group: string;
  readonly entry: E;
}

/** What a view's entries lie in: a {@link WindowStore}, or for sessions a `SessionStore`. */
export interface EntryStore<E extends Entry = Entry> extends Iterable<OpenEntry<E>> {
  /** Entries, over all windows. */
  readonly size: number;
  get(id: WindowId, group: string): E | undefined;
  put(id: WindowId, group: string, entry: E): void;
  delete(id: WindowId, group: string): void;
  /** The entries of the windows with `end <= watermarkMs`, by end. Costs nothing while there are none. */
  closedBy(watermarkMs: number | null): Iterable<OpenEntry<E>>;
}

interface OpenWindow {
  readonly id: WindowId;
  /** Exclusive, epoch ms; null for windows that are not of time. */
  readonly endMs: number | null;
  readonly entries: Map<string, Entry>;
}

export class WindowStore implements EntryStore {
  private readonly open = new Map<WindowId, OpenWindow>();
  // Windows of time, for scans by end. Sorted only when something is due; windows that were emptied stay until then.
  private byEnd: OpenWindow[] = [];
  private sorted = true;
  private earliestEndMs = Number.POSITIVE_INFINITY;
  private entries = 0;

  /** `fixed`: null for windows that are not of time. */
  constructor(private readonly fixed: FixedWindows | null) {}

  get size(): number {
    return this.entries;
  }

  get(id: WindowId, group: string): Entry | undefined {
    return this.open.get(id)?.entries.get(group);
  }

  put(id: WindowId, group: string, entry: Entry): void {
    const { entries } = this.open.get(id) ?? this.openWindow(id);
    const before = entries.size;
    entries.set(group, entry);
    this.entries += entries.size - before;
  }

  delete(id: WindowId, group: string): void {
    const window = this.open.get(id);
    if (window === undefined || !window.entries.delete(group)) return;
    this.entries--;
    if (window.entries.size === 0) this.open.delete(id);
  }

  *closedBy(watermarkMs: number | null): Generator<OpenEntry> {
    if (watermarkMs === null || this.earliestEndMs > watermarkMs) return;
    this.sortByEnd();
    for (const window of this.byEnd) {
      if (window.endMs! > watermarkMs) return;
      yield* entriesOf(window);
    }
  }

  /** The entries of one window. */
  *ofWindow(id: WindowId): Generator<OpenEntry> {
    const window = this.open.get(id);
    if (window !== undefined) yield* entriesOf(window);
  }

  *[Symbol.iterator](): Generator<OpenEntry> {
    for (const window of this.open.values()) yield* entriesOf(window);
  }

  private openWindow(id: WindowId): OpenWindow {
    const endMs = this.fixed === null ? null : this.fixed.endMs(id as number);
    const window: OpenWindow = { id, endMs, entries: new Map() };
    this.open.set(id, window);
    if (endMs !== null) {
      this.sorted &&= this.byEnd.length === 0 || this.byEnd.at(-1)!.endMs! <= endMs;
      this.byEnd.push(window);
      this.earliestEndMs = Math.min(this.earliestEndMs, endMs);
    }
    return window;
  }

  private sortByEnd(): void {
    this.byEnd = this.byEnd.filter((window) => window.entries.size > 0);
    if (!this.sorted) this.byEnd.sort((a, b) => a.endMs! - b.endMs!);
    this.sorted = true;
    this.earliestEndMs = this.byEnd[0]?.endMs ?? Number.POSITIVE_INFINITY;
  }
}

function* entriesOf({ id, entries }: OpenWindow): Generator<OpenEntry> {
  for (const [group, entry] of entries) yield { id, group, entry };
}
