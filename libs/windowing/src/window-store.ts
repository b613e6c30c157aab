// The open entries of one view: window -> group -> entry, with the windows of time in the order of their ends.
import type { WindowSpec } from '#contracts';
import { windowEndMs, type WindowId } from './window.js';

/** What is kept of one (group, window). */
export interface Entry {
  /** The last upload that touched it. */
  upload: string;
  /** One per feature of the view, in its order. */
  readonly accumulators: readonly unknown[];
}

export interface OpenWindow {
  readonly id: WindowId;
  /** Exclusive, epoch ms; null for windows that are not of time. */
  readonly endMs: number | null;
  readonly entries: Map<string, Entry>;
}

export class WindowStore {
  private readonly open = new Map<WindowId, OpenWindow>();
  // Windows of time, for scans by end. Sorted only when something is due; windows that were emptied stay until then.
  private byEnd: OpenWindow[] = [];
  private sorted = true;
  private earliestEndMs = Number.POSITIVE_INFINITY;
  private entries = 0;

  constructor(private readonly spec: WindowSpec) {}

  /** Entries, over all windows. */
  get size(): number {
    return this.entries;
  }

  window(id: WindowId): OpenWindow | undefined {
    return this.open.get(id);
  }

  windows(): Iterable<OpenWindow> {
    return this.open.values();
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

  /** The windows with `end <= watermarkMs`, by end. Costs nothing while there are none. */
  *closedBy(watermarkMs: number | null): Generator<OpenWindow> {
    if (watermarkMs === null || this.earliestEndMs > watermarkMs) return;
    this.sortByEnd();
    for (const window of this.byEnd) {
      if (window.endMs! > watermarkMs) return;
      yield window;
    }
  }

  private openWindow(id: WindowId): OpenWindow {
    const endMs = windowEndMs(this.spec, id);
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
