// The overlay of one step over one view's sessions. A row makes the session [time, time + gap), which becomes one with the
// sessions that it overlaps; rows exactly `gap` apart only touch. What a session loses its start to is retracted.
//
// A row that falls into a closed session is late. So is one whose own session is closed, unless it joins an open one.
// That must not depend on the order of rows within their file: such a row is judged by the open sessions as they stood
// when the epoch (since the last control record) began. Each entry carries what that takes, its floor.
// docs/decisions/0005-session-lateness.md
import type { LateRowWindow, Row } from '#contracts';
import { changeOf, retractionOf, type EntryChange } from './entry-change.js';
import { firstWhere } from './first-where.js';
import { sessionAt, type Session, type SessionEntry, type SessionStore } from './session-store.js';
import type { ViewState } from './view-state.js';
import type { OpenEntry } from './window-store.js';

interface Draft {
  readonly startMs: number;
  readonly entry: SessionEntry;
}

/** A session that a row joins; a stored one is copied before it changes. */
interface Found extends Draft {
  readonly isStored: boolean;
  /** Its start when this epoch began; null: it did not exist then. */
  readonly floorMs: number | null;
}

interface GroupDrafts {
  readonly stored: readonly Session[];
  /** By start, as `stored`; with it, less what was touched, all sessions of the group. */
  readonly drafts: Draft[];
  /** By start, what this step writes: a draft's entry, or null for a stored session that is no more. */
  readonly touched: Map<number, SessionEntry | null>;
}

const ON_TIME: readonly LateRowWindow[] = [];

export class SessionDrafts {
  private readonly groups = new Map<string, GroupDrafts>();
  /** Changed and retracted sessions so far. */
  entries = 0;

  constructor(
    private readonly state: ViewState,
    private readonly store: SessionStore,
    private readonly time: { readonly gapMs: number; readonly watermarkMs: number | null; readonly epoch: number },
  ) {}

  /** Adds the row to the session that it makes or joins; answers the closed one when it is late. */
  apply(row: Row, upload: string, group: string): readonly LateRowWindow[] {
    const { watermarkMs, gapMs } = this.time;
    const endMs = row.time + gapMs;
    const of = this.draftsOf(group);
    const found = this.overlapped(of, row.time, endMs);
    if (watermarkMs !== null) {
      const closed = found.find(({ entry }) => entry.isClosed);
      if (endMs > watermarkMs) {
        if (closed !== undefined) return this.late(closed.startMs, closed.entry.endMs);
      } else if (closed !== undefined || !found.some((one) => this.takes(one, row.time))) {
        return this.late(row.time, endMs);
      }
    }
    const entry = this.join(of, found, { startMs: row.time, endMs, upload });
    entry.upload = upload;
    this.state.addRow(entry, row);
    return ON_TIME;
  }

  /** Merges a session that another task's step has made; it was on time there. */
  merge(startMs: number, group: string, other: SessionEntry): void {
    const of = this.draftsOf(group);
    const { endMs, upload } = other;
    const entry = this.join(of, this.overlapped(of, startMs, endMs), { startMs, endMs, upload });
    this.state.mergeEntry(entry, other);
  }

  /** What this step has made of its rows. */
  *drafted(): Generator<OpenEntry> {
    for (const [group, { touched }] of this.groups) {
      for (const [id, entry] of touched) if (entry !== null) yield { id, group, entry };
    }
  }

  /** Retractions of a group stand before what took their place. */
  changes(streamTime: number | null): EntryChange[] {
    const changes: EntryChange[] = [];
    for (const [group, { touched }] of this.groups) {
      for (const [id, entry] of touched) if (entry === null) changes.push(retractionOf(this.state, id, group));
      for (const [id, entry] of touched) {
        if (entry !== null) changes.push(changeOf(this.state, { id, group, entry, streamTime }));
      }
    }
    return changes;
  }

  commit(): void {
    for (const [group, { touched }] of this.groups) {
      for (const [id, entry] of touched) {
        if (entry === null) this.state.delete(id, group);
        else this.state.put(id, group, entry);
      }
    }
  }

  /** Whether an open session takes a row whose own session is closed. */
  private takes({ floorMs, entry: { sinceMs } }: Found, timeMs: number): boolean {
    const { gapMs } = this.time;
    if (floorMs === null || floorMs >= timeMs + gapMs) return false;
    return sinceMs === null || timeMs >= sinceMs - 2 * gapMs;
  }

  private late(start: number, end: number): readonly LateRowWindow[] {
    const window = { type: 'session', start, end } as const;
    return [{ view: this.state.view.name, window, lateByMs: this.time.watermarkMs! - end }];
  }

  private draftsOf(group: string): GroupDrafts {
    let of = this.groups.get(group);
    if (of === undefined) {
      of = { stored: this.store.of(group), drafts: [], touched: new Map() };
      this.groups.set(group, of);
    }
    return of;
  }

  /** The sessions that overlap [startMs, endMs): drafts first, then stored ones. */
  private overlapped({ stored, drafts, touched }: GroupDrafts, startMs: number, endMs: number): Found[] {
    const found: Found[] = [];
    for (let at = firstWhere(drafts, ({ entry }) => entry.endMs > startMs); at < drafts.length; at++) {
      const { startMs: start, entry } = drafts[at]!;
      if (start >= endMs) break;
      found.push({ startMs: start, entry, isStored: false, floorMs: entry.floorMs });
    }
    for (let at = firstWhere(stored, ({ entry }) => entry.endMs > startMs); at < stored.length; at++) {
      const { startMs: start, entry } = stored[at]!;
      if (start >= endMs) break;
      if (touched.has(start)) continue;
      const floorMs = entry.floorEpoch === this.time.epoch ? entry.floorMs : start;
      found.push({ startMs: start, entry, isStored: true, floorMs });
    }
    return found;
  }

  /** The draft of the one session that covers the span and all that it overlaps. */
  private join(
    of: GroupDrafts,
    found: readonly Found[],
    span: { startMs: number; endMs: number; upload: string },
  ): SessionEntry {
    const [first, ...others] = found;
    const entry = this.draftOf(of, first, span);
    entry.endMs = Math.max(entry.endMs, span.endMs);
    for (const other of others) {
      this.state.mergeEntry(entry, other.entry);
      entry.endMs = Math.max(entry.endMs, other.entry.endMs);
      entry.sinceMs = earlierOf(entry.sinceMs, other.entry.sinceMs);
      if (other.floorMs !== null) entry.floorMs = Math.min(entry.floorMs ?? other.floorMs, other.floorMs);
    }
    const startMs = found.reduce((least, other) => Math.min(least, other.startMs), span.startMs);
    if (others.length === 0 && of.touched.get(startMs) === entry) return entry;
    for (const other of found) this.forget(of, other);
    const place = firstWhere(of.drafts, (draft) => draft.startMs > startMs);
    of.drafts.splice(place, 0, { startMs, entry });
    this.touch(of, startMs, entry);
    return entry;
  }

  private draftOf(of: GroupDrafts, found: Found | undefined, span: { endMs: number; upload: string }): SessionEntry {
    const floorEpoch = this.time.epoch;
    if (found === undefined) {
      const sinceMs = this.sinceOfNext(of, span.endMs);
      return {
        ...this.state.newEntry(span.upload),
        endMs: span.endMs,
        floorMs: null,
        floorEpoch,
        sinceMs,
        isClosed: false,
      };
    }
    const { entry, isStored, floorMs } = found;
    if (!isStored) return entry;
    const { endMs, sinceMs } = entry;
    return { ...this.state.cloneEntry(entry), endMs, floorMs, floorEpoch, sinceMs, isClosed: false };
  }

  /** So that a group's sessions never began earlier than those before them: then rows may come in any order. */
  private sinceOfNext({ drafts, stored, touched }: GroupDrafts, endMs: number): number | null {
    let at = firstWhere(stored, ({ startMs }) => startMs >= endMs);
    while (at < stored.length && touched.has(stored[at]!.startMs)) at++;
    const draft = drafts[firstWhere(drafts, ({ startMs }) => startMs >= endMs)];
    const next = [stored[at], draft].filter((one) => one !== undefined).sort((a, b) => a.startMs - b.startMs)[0];
    return next === undefined ? this.time.watermarkMs : next.entry.sinceMs;
  }

  /** A draft that was never stored leaves no trace; a stored session is retracted, unless its start is taken again. */
  private forget(of: GroupDrafts, { startMs, entry }: Draft): void {
    const at = firstWhere(of.drafts, (draft) => draft.startMs >= startMs);
    if (of.drafts[at]?.entry === entry) of.drafts.splice(at, 1);
    if (sessionAt(of.stored, startMs) !== undefined) this.touch(of, startMs, null);
    else if (of.touched.delete(startMs)) this.entries--;
  }

  private touch({ touched }: GroupDrafts, startMs: number, entry: SessionEntry | null): void {
    if (!touched.has(startMs)) this.entries++;
    touched.set(startMs, entry);
  }
}

/** Null is before all. */
function earlierOf(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.min(a, b);
}
