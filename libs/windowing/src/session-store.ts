// The sessions of one view: group -> its sessions by start. No two overlap, so they are in the order of their ends too.
// Closed ones stay, without their values, while a row may still come that would fall into them.
import { firstWhere } from './first-where.js';
import type { WindowId } from './window.js';
import type { Entry, EntryStore, OpenEntry } from './window-store.js';

/** A session's start is its identity and lies outside; its end moves with each row that comes later. */
export interface SessionEntry extends Entry {
  /** Last row + gap, exclusive, epoch ms. */
  endMs: number;
  /** Its start when the epoch {@link floorEpoch} began; null: it did not exist then. */
  floorMs: number | null;
  /** The epoch in which it was last written; in later ones its start is its floor. */
  floorEpoch: number;
  /**
   * The watermark when it began, or of the open session behind it if that began earlier; null: there was none. Rows more
   * than two gaps before it do not join: what has closed there may be forgotten.
   */
  sinceMs: number | null;
  /** It is final: rows that would fall into it are late. */
  isClosed: boolean;
}

/** Stays the same object while its entry is replaced, so that the queue by end need not be searched. */
export interface Session {
  readonly group: string;
  readonly startMs: number;
  entry: SessionEntry;
  /** Not after it is due: where it stands in the queue. A session that has grown meanwhile is put back. */
  dueMs: number;
  gone: boolean;
}

export class SessionStore implements EntryStore<SessionEntry> {
  private readonly groups = new Map<string, Session[]>();
  /** A binary heap by {@link earlier}; sessions that are gone stay until they come up. */
  private readonly queue: Session[] = [];
  private sessions = 0;

  /** `closes`: false where grace is unlimited, so that nothing is ever due. */
  constructor(
    private readonly gapMs: number,
    private readonly closes: boolean,
  ) {}

  get size(): number {
    return this.sessions;
  }

  /** The sessions of a group, by start. To be read only. */
  of(group: string): readonly Session[] {
    return this.groups.get(group) ?? [];
  }

  get(id: WindowId, group: string): SessionEntry | undefined {
    return sessionAt(this.of(group), id as number)?.entry;
  }

  put(id: WindowId, group: string, entry: SessionEntry): void {
    const startMs = id as number;
    let list = this.groups.get(group);
    if (list === undefined) this.groups.set(group, (list = []));
    const at = placeOf(list, startMs);
    const known = list[at];
    if (known?.startMs === startMs) {
      known.entry = entry;
      return;
    }
    const session = { group, startMs, entry, dueMs: entry.endMs, gone: false };
    list.splice(at, 0, session);
    this.sessions++;
    if (this.closes) this.enqueue(session);
  }

  delete(id: WindowId, group: string): void {
    const list = this.groups.get(group) ?? [];
    const at = placeOf(list, id as number);
    const session = list[at];
    if (session?.startMs !== id) return;
    session.gone = true;
    list.splice(at, 1);
    if (list.length === 0) this.groups.delete(group);
    this.sessions--;
  }

  /** What stays of a session that closes now; null when no row can come any more that would fall into it. */
  closed(id: WindowId, group: string, watermarkMs: number): SessionEntry | null {
    const session = sessionAt(this.of(group), id as number)!;
    const { endMs } = session.entry;
    if (this.neededUntilMs(session, watermarkMs) <= watermarkMs) return null;
    return closedSession(endMs);
  }

  /** Open sessions that end, and closed ones that are needed no more, by when that was. */
  *closedBy(watermarkMs: number | null): Generator<OpenEntry<SessionEntry>> {
    if (watermarkMs === null) return;
    const taken: Session[] = [];
    try {
      while (this.queue.length > 0 && this.queue[0]!.dueMs <= watermarkMs) {
        const session = this.dequeue();
        if (session.gone) continue;
        const { isClosed, endMs } = session.entry;
        const dueMs = isClosed ? this.neededUntilMs(session, watermarkMs) : endMs;
        if (dueMs > session.dueMs) {
          session.dueMs = dueMs;
          this.enqueue(session);
          continue;
        }
        taken.push(session);
        yield { id: session.startMs, group: session.group, entry: session.entry };
      }
    } finally {
      // To look changes nothing: what the caller deletes is gone, what it does not is due again.
      for (const session of taken) this.enqueue(session);
    }
  }

  *[Symbol.iterator](): Generator<OpenEntry<SessionEntry>> {
    for (const list of this.groups.values()) {
      for (const { startMs, group, entry } of list) if (!entry.isClosed) yield { id: startMs, group, entry };
    }
  }

  /**
   * All closed sessions of a group lie before its open ones. The last of them is needed while an open one follows: rows
   * that would join that one from before may come in any number of uploads. With none it is needed until a session that
   * begins (less than a gap before the watermark) lies so far behind it that {@link SessionEntry.sinceMs} keeps them apart.
   */
  private neededUntilMs({ group, startMs, entry }: Session, watermarkMs: number): number {
    const list = this.of(group);
    const next = list[placeOf(list, startMs) + 1]?.entry;
    const untilMs = entry.endMs + 2 * this.gapMs;
    return next !== undefined && !next.isClosed && next.endMs > watermarkMs ? Math.max(untilMs, next.endMs) : untilMs;
  }

  private enqueue(session: Session): void {
    const { queue } = this;
    let at = queue.push(session) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!earlier(session, queue[parent]!)) break;
      queue[at] = queue[parent]!;
      at = parent;
    }
    queue[at] = session;
  }

  private dequeue(): Session {
    const { queue } = this;
    const first = queue[0]!;
    const last = queue.pop()!;
    if (queue.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= queue.length) break;
      if (child + 1 < queue.length && earlier(queue[child + 1]!, queue[child]!)) child++;
      if (!earlier(queue[child]!, last)) break;
      queue[at] = queue[child]!;
      at = child;
    }
    queue[at] = last;
    return first;
  }
}

/** All that is kept of a session once it is final. */
export function closedSession(endMs: number): SessionEntry {
  return { upload: '', accumulators: [], endMs, floorMs: null, floorEpoch: 0, sinceMs: null, isClosed: true };
}

/** A total order, so that what closes comes out the same in pieces and at once. */
function earlier(a: Session, b: Session): boolean {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs;
  return a.startMs === b.startMs ? a.group < b.group : a.startMs < b.startMs;
}

/** Where the session that begins at `startMs` stands, or would stand. */
function placeOf(list: readonly Session[], startMs: number): number {
  return firstWhere(list, (session) => session.startMs >= startMs);
}

export function sessionAt(list: readonly Session[], startMs: number): Session | undefined {
  const session = list[placeOf(list, startMs)];
  return session?.startMs === startMs ? session : undefined;
}
