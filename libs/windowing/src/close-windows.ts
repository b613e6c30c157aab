// What is due when an upload ends or stream time moves: at most `limit` entries at a time, since it may be a million.
import { changelogKey, encodeFeature, type EntryChange } from './entry-change.js';
import { laterOf, watermarkMs } from './stream-time.js';
import { assertCurrent, type GroupByState, type ViewState } from './view-state.js';
import type { WindowId } from './window.js';
import type { OpenEntry, WindowStore } from './window-store.js';

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
  /** Changelog deletions, with the final feature records of what closes. */
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
  const closed: { view: ViewState; id: WindowId; group: string }[] = [];
  let done = true;
  scan: for (const view of state.views) {
    const { name, window } = view.view;
    const dropped = window.type === 'upload' && args.cancelled === true;
    for (const { id, group, entry } of dueIn(view, args.upload, streamTime)) {
      if (closed.length >= args.limit) {
        done = false;
        break scan;
      }
      closed.push({ view, id, group });
      changes.push({
        changelogKey: changelogKey(name, group, id),
        changelogValue: null,
        feature: dropped ? null : encodeFeature(view, { id, group, entry, final: true, streamTime }),
      });
    }
  }
  const commit = () => {
    assertCurrent(state, revision);
    for (const { view, id, group } of closed) view.delete(id, group);
    state.revision++;
  };
  return { changes, done, commit };
}

function dueIn({ view, store }: ViewState, upload: string | null, streamTime: number | null): Iterable<OpenEntry> {
  if (view.window.type !== 'upload') return store.closedBy(watermarkMs(view.window, streamTime));
  return upload === null ? [] : (store as WindowStore).ofWindow(upload);
}
