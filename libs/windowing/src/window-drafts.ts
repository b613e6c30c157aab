// The overlay of one step over one view's windows, all kinds but sessions: copies of the entries that its rows change.
import type { LateRowWindow, Row } from '#contracts';
import { changeOf, type EntryChange } from './entry-change.js';
import type { ViewState } from './view-state.js';
import { ALL_TIME, type WindowId } from './window.js';
import type { Entry, OpenEntry } from './window-store.js';

interface Drafts {
  readonly id: WindowId;
  readonly entries: Map<string, Entry>;
}

/** The windows of a stretch of time, looked up once for all its rows. */
interface Slot {
  readonly open: readonly Drafts[];
  readonly closed: readonly LateRowWindow[];
}

export class WindowDrafts {
  private readonly windows = new Map<WindowId, Drafts>();
  private readonly slots = new Map<WindowId, Slot>();
  /** The slot of the row before: rows of one file mostly stay in it. */
  private lastName: WindowId | null = null;
  private lastSlot: Slot = { open: [], closed: [] };
  /** Changed entries so far. */
  entries = 0;

  constructor(
    private readonly state: ViewState,
    private readonly watermarkMs: number | null,
  ) {}

  /** Adds the row to its windows; answers those that are closed and skip it. */
  apply(row: Row, upload: string, group: string): readonly LateRowWindow[] {
    const slot = this.slotOf(row, upload);
    for (let i = 0; i < slot.open.length; i++) {
      const entry = this.draft(slot.open[i]!, group, upload);
      entry.upload = upload;
      this.state.addRow(entry, row);
    }
    return slot.closed;
  }

  /** Merges what another task's step has made of its rows of one window. */
  merge(id: WindowId, group: string, other: Entry): void {
    this.state.mergeEntry(this.draft(this.draftsOf(id), group, other.upload), other);
  }

  /** What this step has made of its rows. */
  *drafted(): Generator<OpenEntry> {
    for (const { id, entries } of this.windows.values()) {
      for (const [group, entry] of entries) yield { id, group, entry };
    }
  }

  // Plain loops and not `drafted`: these run for every changed entry.
  changes(streamTime: number | null): EntryChange[] {
    const changes: EntryChange[] = [];
    for (const { id, entries } of this.windows.values()) {
      for (const [group, entry] of entries) changes.push(changeOf(this.state, { id, group, entry, streamTime }));
    }
    return changes;
  }

  commit(): void {
    for (const { id, entries } of this.windows.values()) {
      for (const [group, entry] of entries) this.state.put(id, group, entry);
    }
  }

  private slotOf(row: Row, upload: string): Slot {
    const { windows, view } = this.state;
    const name = windows !== null ? windows.slotOf(row.time) : view.window.type === 'upload' ? upload : ALL_TIME;
    if (name === this.lastName) return this.lastSlot;
    let slot = this.slots.get(name);
    if (slot === undefined) {
      slot = this.makeSlot(name);
      this.slots.set(name, slot);
    }
    this.lastName = name;
    this.lastSlot = slot;
    return slot;
  }

  private makeSlot(name: WindowId): Slot {
    const { windows, view } = this.state;
    if (windows === null) return { open: [this.draftsOf(name)], closed: [] };
    const open: Drafts[] = [];
    const closed: LateRowWindow[] = [];
    for (const start of windows.windowsOf(name as number)) {
      const end = windows.endMs(start);
      if (this.watermarkMs === null || end > this.watermarkMs) open.push(this.draftsOf(start));
      else {
        const type = view.window.type as LateRowWindow['window']['type'];
        closed.push({ view: view.name, window: { type, start, end }, lateByMs: this.watermarkMs - end });
      }
    }
    return { open, closed };
  }

  private draftsOf(id: WindowId): Drafts {
    let drafts = this.windows.get(id);
    if (drafts === undefined) {
      drafts = { id, entries: new Map() };
      this.windows.set(id, drafts);
    }
    return drafts;
  }

  private draft({ id, entries }: Drafts, group: string, upload: string): Entry {
    let entry = entries.get(group);
    if (entry === undefined) {
      const stored = this.state.store.get(id, group);
      entry = stored === undefined ? this.state.newEntry(upload) : this.state.cloneEntry(stored);
      entries.set(group, entry);
      this.entries++;
    }
    return entry;
  }
}
