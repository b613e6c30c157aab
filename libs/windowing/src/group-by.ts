// The windowed group-by of one task: rows in, changed entries out. The aggregator, rehearsals and tests feed it alike.
import { LIMITS, type FeatureRecord, type Pipeline } from '#contracts';
import { dueEntries, type Due, type DueArgs } from './close-windows.js';
import { badChangelog, decodeEntry, decodeWindow, featureRecord, parseChangelogKey } from './entry-change.js';
import { Step } from './step.js';
import { laterOf, watermarkMs } from './stream-time.js';
import { type GroupByState, ViewState } from './view-state.js';

export class GroupBy {
  private readonly state: GroupByState;
  private readonly byName: ReadonlyMap<string, ViewState>;
  // Restored entries share their upload's id with the entry before, not each a copy.
  private restoredUpload = '';

  constructor(pipeline: Pipeline) {
    const views = pipeline.views.map((view) => new ViewState(view, pipeline));
    this.state = { views, streamTime: null, epoch: 0, revision: 0 };
    this.byName = new Map(views.map((state) => [state.view.name, state]));
  }

  /** Epoch ms; null before the first upload has ended. */
  get streamTime(): number | null {
    return this.state.streamTime;
  }

  /** Control records applied so far; kept with stream time, since sessions restored from a changelog refer to it. */
  get epoch(): number {
    return this.state.epoch;
  }

  /** Open (view, group, window) entries. */
  get size(): number {
    return this.state.views.reduce((sum, view) => sum + view.store.size, 0);
  }

  /** About how much memory the open entries take. */
  get bytes(): number {
    return this.state.views.reduce((sum, view) => sum + view.bytes, 0);
  }

  /** How many entries one transaction may change or close, so that its records are bounded in memory too. */
  get entriesPerTransaction(): number {
    const largest = Math.max(...this.state.views.map((view) => view.largestEntryBytes));
    return Math.max(1, Math.min(LIMITS.closedPerTransaction, Math.floor(LIMITS.transactionBytes / (2 * largest))));
  }

  /** Stream time - grace of a view, epoch ms; null when unlimited, not a time window, or there is no stream time. */
  watermark(view: string): number | null {
    return watermarkMs(this.viewState(view).view.window, this.state.streamTime);
  }

  /** Applies one changelog record. Throws WindowingError `bad_changelog` for an unknown view or what does not decode. */
  restore(changelogKey: string, changelogValue: string | null): void {
    const { view, group, window } = parseChangelogKey(changelogKey);
    const state = this.byName.get(view);
    if (state === undefined) throw badChangelog(changelogKey, `the pipeline has no view "${view}"`);
    const id = decodeWindow(state, changelogKey, group, window);
    if (changelogValue === null) {
      state.delete(id, group);
    } else {
      const entry = decodeEntry(state, changelogKey, changelogValue);
      if (entry.upload === this.restoredUpload) entry.upload = this.restoredUpload;
      else this.restoredUpload = entry.upload;
      state.put(id, group, entry);
    }
    this.state.revision++;
  }

  /** An overlay for the rows of one transaction. One at a time: commit or drop it before the next. */
  beginStep(): Step {
    return new Step(this.state);
  }

  /**
   * Everything due when this upload's end, or a watermark, is applied: the upload windows of `upload`, and time
   * windows with `end <= max(streamTime, new stream time) - grace`. At most `limit` entries a call; commit and call
   * again until `done`, then {@link advanceStreamTime} and {@link beginEpoch}. Changes nothing itself.
   */
  due(args: DueArgs): Due {
    return dueEntries(this.state, args);
  }

  /** Stream time becomes the later of the two; null changes nothing. */
  advanceStreamTime(time: number | null): void {
    this.state.streamTime = laterOf(this.state.streamTime, time);
  }

  /** A control record has been applied, or (`epoch`) the state of a task is restored: see session-drafts.ts. */
  beginEpoch(epoch = this.state.epoch + 1): void {
    this.state.epoch = epoch;
  }

  /** Every open entry as a feature record: what a rehearsal answers. Upload windows are `final`. */
  *results(): Generator<FeatureRecord> {
    const { streamTime } = this.state;
    for (const state of this.state.views) {
      const final = state.view.window.type === 'upload';
      for (const { id, group, entry } of state.store)
        yield featureRecord(state, { id, group, entry, final, streamTime });
    }
  }

  private viewState(name: string): ViewState {
    const state = this.byName.get(name);
    if (state === undefined)
      throw new TypeError(`no view "${name}": this pipeline has ${[...this.byName.keys()].join(', ')}`);
    return state;
  }
}
