// Rows of one transaction, aggregated beside the store: nothing is changed there before commit(), so a step that
// fails is simply dropped.
import type { LateRowWindow, Row } from '#contracts';
import {
  badChangelog,
  changelogKey,
  decodeEntry,
  decodeWindow,
  encodeEntry,
  parseChangelogKey,
  type EntryChange,
} from './entry-change.js';
import { WindowingError } from './errors.js';
import { SessionDrafts } from './session-drafts.js';
import type { SessionEntry } from './session-store.js';
import { watermarkMs } from './stream-time.js';
import { assertCurrent, type GroupByState, type ViewState } from './view-state.js';
import { WindowDrafts } from './window-drafts.js';
import type { Entry } from './window-store.js';

/** The overlay over one view's store. */
interface ViewStep {
  readonly state: ViewState;
  /** Whether it groups as the view before it does: the group's text is made once for both. */
  readonly groupsAsPrevious: boolean;
  readonly drafts: WindowDrafts | SessionDrafts;
}

const ON_TIME: readonly LateRowWindow[] = [];

/** Made by `GroupBy.beginStep`. After a throw it must be dropped: the row may be in some views only. */
export class Step {
  /** The most by which one row raises `records`. */
  readonly maxRecordsPerRow: number;
  private readonly views: readonly ViewStep[];
  private readonly streamTime: number | null;
  private readonly epoch: number;
  private readonly revision: number;
  private readonly recordsPerEntry: readonly number[];
  private lateCount = 0;
  // Every row brings its own copy of its upload's id: the first is kept, so that entries share one.
  private upload = '';

  constructor(private readonly state: GroupByState) {
    this.revision = state.revision;
    this.streamTime = state.streamTime;
    this.epoch = state.epoch;
    this.recordsPerEntry = state.views.map((view) => view.recordsPerEntry);
    this.maxRecordsPerRow = state.views.reduce((sum, view) => sum + view.entriesPerRow * view.recordsPerEntry, 0);
    this.views = state.views.map((view, i) => ({
      state: view,
      groupsAsPrevious: i > 0 && sameOrder(view.view.groupBy, state.views[i - 1]!.view.groupBy),
      drafts: draftsOf(view, state),
    }));
  }

  /** Changed entries so far. */
  get entries(): number {
    return this.views.reduce((sum, { drafts }) => sum + drafts.entries, 0);
  }

  /** Kafka records that this step will write so far: changelog, features, and a late record per closed window. */
  get records(): number {
    let sum = this.lateCount;
    for (let i = 0; i < this.views.length; i++) sum += this.views[i]!.drafts.entries * this.recordsPerEntry[i]!;
    return sum;
  }

  /**
   * Adds the row to every view; windows that are closed skip it, and are the answer: none when the row is on time.
   * Throws WindowingError `bad_row`, `bad_decimal`, or `stale_step` when entries or stream time changed since the beginning.
   */
  applyRow(row: Row): readonly LateRowWindow[] {
    this.assertCurrent();
    if (row.upload !== this.upload) this.upload = row.upload;
    let late = ON_TIME;
    let group = '';
    for (let i = 0; i < this.views.length; i++) {
      const { state, groupsAsPrevious, drafts } = this.views[i]!;
      if (!groupsAsPrevious) group = state.groupOf(row);
      const closed = drafts.apply(row, this.upload, group);
      if (closed.length > 0) late = late.length === 0 ? closed : [...late, ...closed];
    }
    this.lateCount += late.length;
    return late;
  }

  /**
   * What this step's rows contribute to views that another task keeps. Only of a step over a store that stays empty:
   * such a step is never committed.
   */
  contributions(): { key: string; group: string; entry: string }[] {
    return this.views.flatMap(({ state, drafts }) =>
      Array.from(drafts.drafted(), ({ id, group, entry }) => {
        return { key: changelogKey(state.view.name, group, id), group, entry: encodeEntry(state, entry) };
      }),
    );
  }

  /**
   * Merges what another task's step has contributed; never late, since that task has judged it. `streamTime`: that
   * task's, epoch ms. Throws WindowingError `bad_changelog`, `stale_step`.
   */
  applyContribution({ key, entry, streamTime }: { key: string; entry: unknown; streamTime: number | null }): void {
    this.assertCurrent();
    const { view, group, window } = parseChangelogKey(key);
    const found = this.views.find(({ state }) => state.view.name === view);
    if (found === undefined) throw badChangelog(key, `the pipeline has no view "${view}"`);
    const { state, drafts } = found;
    const id = decodeWindow(state, key, group, window);
    const contributed: Entry = { ...decodeEntry(state, key, entry), streamTime };
    // Entries share their upload's id.
    if (contributed.upload === this.upload) contributed.upload = this.upload;
    else this.upload = contributed.upload;
    if (drafts instanceof WindowDrafts) drafts.merge(id, group, contributed);
    else drafts.merge(id as number, group, contributed as SessionEntry);
  }

  /** What to write: changelog entries, with their feature (`final` false) where the view shows updates. */
  changes(): EntryChange[] {
    return this.views.flatMap(({ drafts }) => drafts.changes(this.streamTime));
  }

  /** Puts the step into the store, once what {@link changes} gave is committed in Kafka. The step ends here. */
  commit(): void {
    this.assertCurrent();
    for (const { drafts } of this.views) drafts.commit();
    this.state.revision++;
  }

  private assertCurrent(): void {
    assertCurrent(this.state, this.revision);
    if (this.state.streamTime === this.streamTime && this.state.epoch === this.epoch) return;
    throw new WindowingError('stale_step', 'stream time moved within a step: handle control records between steps');
  }
}

function draftsOf(view: ViewState, { streamTime, epoch }: GroupByState): WindowDrafts | SessionDrafts {
  const { window } = view.view;
  const watermark = watermarkMs(window, streamTime);
  if (window.type !== 'session') return new WindowDrafts(view, watermark);
  return new SessionDrafts(view, view.sessions!, { gapMs: window.gapMs, watermarkMs: watermark, epoch });
}

function sameOrder(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((column, i) => column === b[i]);
}
