// What is due when an upload ends or stream time moves: at most `limit` entries at a time, since it may be a million.
import { changelogKey, encodeEntry, encodeFeature, type EntryChange } from './entry-change.js';
import { laterOf, watermarkMs } from './stream-time.js';
import { assertCurrent, type GroupByState, type ViewState } from './view-state.js';
import type { WindowId } from './window.js';
import type { SessionEntry } from './session-store.js';
import type { Entry, OpenEntry, WindowStore } from './window-store.js';

export interface DueArgs {
  /** The upload that has ended, or null when only stream time moves. */
  upload: string | null;
  /** The new stream time, epoch ms; an earlier one than that of the state counts for nothing. */
  streamTime: number | null;
  /** At least 1. */
  limit: number;
  /** The upload was given up: its upload windows go without output. */
  cancelled?: boolean;
}

export interface Due {
  /** Changelog deletions (of some sessions, what stays of them), with the final feature records of what closes. */
  changes: EntryChange[];
  /** False: commit, then ask again. */
  done: boolean;
  /** Deletes those entries from the store, once `changes` are committed in Kafka. */
  commit(): void;
}

/** Pure but for the `commit` it returns. Entries that are committed are gone, so what remains is what is due next. */
export function dueEntries(state: GroupByState, args: DueArgs): Due {
  if (!(args.limit >= 1)) throw new RangeError(`limit ${args.limit}: at least one entry must be allowed`);
  const { revision } = state;
  const streamTime = laterOf(state.streamTime, args.streamTime);
  const changes: EntryChange[] = [];
  const closed: { view: ViewState; id: WindowId; group: string; rest: Entry | null }[] = [];
  let done = true;
  scan: for (const view of state.views) {
    const { name, window } = view.view;
    const watermark = watermarkMs(window, streamTime);
    const dropped = window.type === 'upload' && args.cancelled === true;
    for (const { id, group, entry } of dueIn(view, args.upload, watermark)) {
      if (closed.length >= args.limit) {
        done = false;
        break scan;
      }
      const wasClosed = view.sessions !== null && (entry as SessionEntry).isClosed;
      const rest = view.sessions === null || wasClosed ? null : view.sessions.closed(id, group, watermark!);
      closed.push({ view, id, group, rest });
      changes.push({
        changelogKey: changelogKey(name, group, id),
        changelogValue: rest === null ? null : encodeEntry(view, rest),
        feature: dropped || wasClosed ? null : encodeFeature(view, { id, group, entry, final: true, streamTime }),
      });
    }
  }
  const commit = () => {
    assertCurrent(state, revision);
    for (const { view, id, group, rest } of closed) {
      if (rest === null) view.delete(id, group);
      else view.put(id, group, rest);
    }
    state.revision++;
  };
  return { changes, done, commit };
}

function dueIn({ view, store }: ViewState, upload: string | null, watermark: number | null): Iterable<OpenEntry> {
  if (view.window.type !== 'upload') return store.closedBy(watermark);
  return upload === null ? [] : (store as WindowStore).ofWindow(upload);
}
