// Rows of one transaction, aggregated beside the store: nothing is changed there before commit(), so a step that
// fails is simply dropped.
import type { Row } from '#contracts';
import { encodeEntry, encodeFeature, changelogKey, type EntryChange } from './entry-change.js';
import { WindowingError } from './errors.js';
import { isClosed, watermarkMs } from './stream-time.js';
import { assertCurrent, type GroupByState, type ViewState } from './view-state.js';
import { windowEndMs, type WindowId } from './window.js';
import { windowFor } from './windows-for.js';
import type { Entry } from './window-store.js';

type Drafts = Map<string, Entry>;

/** The overlay over one view's store. */
interface ViewDrafts {
  readonly state: ViewState;
  /** Whether it groups as the view before it does: the group's text is made once for both. */
  readonly groupsAsPrevious: boolean;
  readonly watermarkMs: number | null;
  readonly windows: Map<WindowId, Drafts>;
  /** The window of the row before: rows of one file mostly stay in it. */
  lastId: WindowId | null;
  lastDrafts: Drafts | null;
}

const ON_TIME = Object.freeze({ late: false });
const LATE = Object.freeze({ late: true });

/** Made by `GroupBy.beginStep`. After a throw it must be dropped: the row may be in some views only. */
export class Step {
  /** The most by which one row raises `records`. */
  readonly maxRecordsPerRow: number;
  private readonly views: readonly ViewDrafts[];
  private readonly streamTime: number | null;
  private readonly revision: number;
  private entryCount = 0;
  private recordCount = 0;
  // Every row brings its own copy of its upload's id: the first is kept, so that entries share one.
  private upload = '';

  constructor(private readonly state: GroupByState) {
    this.revision = state.revision;
    this.streamTime = state.streamTime;
    this.maxRecordsPerRow = state.views.reduce((sum, view) => sum + view.recordsPerEntry, 0);
    this.views = state.views.map((view, i) => ({
      state: view,
      groupsAsPrevious: i > 0 && sameOrder(view.view.groupBy, state.views[i - 1]!.view.groupBy),
      watermarkMs: watermarkMs(view.view.window, state.streamTime),
      windows: new Map(),
      lastId: null,
      lastDrafts: null,
    }));
  }

  /** Changed entries so far. */
  get entries(): number {
    return this.entryCount;
  }

  /** Kafka records that this step will write so far: changelog and features. */
  get records(): number {
    return this.recordCount;
  }

  /**
   * Adds the row to every view; a view in which it is late skips it. `late`: in at least one view.
   * Throws WindowingError `bad_row`, `bad_decimal`, or `stale_step` when entries or stream time changed since the beginning.
   */
  applyRow(row: Row): { late: boolean } {
    this.assertCurrent();
    if (row.upload !== this.upload) this.upload = row.upload;
    let late = false;
    let group = '';
    for (let i = 0; i < this.views.length; i++) {
      const drafts = this.views[i]!;
      if (!drafts.groupsAsPrevious) group = drafts.state.groupOf(row);
      const spec = drafts.state.view.window;
      const id = windowFor(spec, this.upload, row.time);
      if (isClosed(windowEndMs(spec, id), drafts.watermarkMs)) {
        late = true;
        continue;
      }
      const entry = this.draft(drafts, id, group);
      entry.upload = this.upload;
      drafts.state.addRow(entry, row);
    }
    return late ? LATE : ON_TIME;
  }

  /** What to write: upload windows to the changelog only, the others with their feature, `final` false. */
  changes(): EntryChange[] {
    const changes: EntryChange[] = [];
    for (const { state, windows } of this.views) {
      const { name, window } = state.view;
      for (const [id, drafts] of windows) {
        for (const [group, entry] of drafts) {
          changes.push({
            changelogKey: changelogKey(name, group, id),
            changelogValue: encodeEntry(state, entry),
            feature:
              window.type === 'upload'
                ? null
                : encodeFeature(state, { id, group, entry, final: false, streamTime: this.streamTime }),
          });
        }
      }
    }
    return changes;
  }

  /** Puts the step into the store, once what {@link changes} gave is committed in Kafka. The step ends here. */
  commit(): void {
    this.assertCurrent();
    for (const { state, windows } of this.views) {
      for (const [id, drafts] of windows) {
        for (const [group, entry] of drafts) state.store.put(id, group, entry);
      }
    }
    this.state.revision++;
  }

  private draft(view: ViewDrafts, id: WindowId, group: string): Entry {
    const drafts = view.lastId === id ? view.lastDrafts! : draftsOf(view, id);
    let entry = drafts.get(group);
    if (entry === undefined) {
      const stored = view.state.store.get(id, group);
      entry = stored === undefined ? view.state.newEntry(this.upload) : view.state.cloneEntry(stored);
      drafts.set(group, entry);
      this.entryCount++;
      this.recordCount += view.state.recordsPerEntry;
    }
    return entry;
  }

  private assertCurrent(): void {
    assertCurrent(this.state, this.revision);
    if (this.state.streamTime === this.streamTime) return;
    throw new WindowingError('stale_step', 'stream time moved within a step: handle control records between steps');
  }
}

function draftsOf(view: ViewDrafts, id: WindowId): Drafts {
  let drafts = view.windows.get(id);
  if (drafts === undefined) {
    drafts = new Map();
    view.windows.set(id, drafts);
  }
  view.lastId = id;
  view.lastDrafts = drafts;
  return drafts;
}

function sameOrder(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((column, i) => column === b[i]);
}
