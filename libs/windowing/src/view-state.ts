// One view, ready for rows: its columns, aggregates and open entries; and the state that all views of a task form.
import {
  cellText,
  encodeGroup,
  isTimeWindow,
  largestEntryBytes,
  sharedAccumulators,
  type FeatureSpec,
  type Pipeline,
  type Row,
  type View,
} from '#contracts';
import type { Aggregate } from './aggregates/aggregate.js';
import { aggregateFor } from './aggregates/aggregate-for.js';
import { WindowingError } from './errors.js';
import { fixedWindows, type FixedWindows } from './fixed-windows.js';
import { textBytes } from './heap-bytes.js';
import { SessionStore } from './session-store.js';
import { laterOf } from './stream-time.js';
import type { WindowId } from './window.js';
import { WindowStore, type Entry, type EntryStore } from './window-store.js';

/** The entry, its list of accumulators, and its place in the window's map, which may be half empty. */
const ENTRY_BYTES = 40 + 32 + 16 + 80;
/** A session has its own object and list beside it, and a place in the queue by end. */
const SESSION_BYTES = ENTRY_BYTES + 290;

/** What a step or a closing was made from; whoever changes entries raises `revision`. */
export interface GroupByState {
  readonly views: readonly ViewState[];
  streamTime: number | null;
  /** How many control records have been applied: see session-drafts.ts. */
  epoch: number;
  revision: number;
}

/** Throws WindowingError `stale_step` when the entries have changed since `revision`. */
export function assertCurrent(state: GroupByState, revision: number): void {
  if (state.revision === revision) return;
  throw new WindowingError(
    'stale_step',
    'the state has changed since this step or closing began: commit one before beginning the next, each only once',
  );
}

/** The parts of a view's feature records that never change, as JSON text; a comma stands before all but the first. */
interface FeatureJson {
  /** Up to the first group column. */
  readonly head: string;
  readonly columns: readonly string[];
  /** From the last group value up to the window's start. */
  readonly window: string;
  readonly features: readonly string[];
}

export class ViewState {
  readonly store: EntryStore;
  /** The store of a session view; null for the other kinds. */
  readonly sessions: SessionStore | null = null;
  /** Null for windows that are not of time, and for sessions. */
  readonly windows: FixedWindows | null = null;
  /** One for each accumulator of an entry, in its order. */
  readonly aggregates: readonly Aggregate<unknown>[];
  /** One for each feature: several may read the same accumulator. */
  readonly results: readonly { readonly place: number; readonly aggregate: Aggregate<unknown> }[];
  readonly json: FeatureJson;
  /** An accumulator's column, null for `*`. */
  private readonly columns: readonly (string | null)[];
  /** What an entry takes beside its group's text and its accumulators. */
  private readonly frameBytes: number;
  private heldBytes = 0;

  constructor(
    readonly view: View,
    pipeline: Pipeline,
  ) {
    const types = new Map(pipeline.columns.map((column) => [column.name, column.type]));
    const { window } = view;
    if (window.type === 'session') {
      this.sessions = new SessionStore(window.gapMs, window.graceMs !== null);
      this.store = this.sessions;
    } else {
      this.windows = fixedWindows(window);
      this.store = new WindowStore(this.windows);
    }
    const { accumulators, places } = sharedAccumulators(view.features);
    const of = (feature: FeatureSpec) => aggregateFor(feature, types.get(feature.column) ?? null);
    this.aggregates = accumulators.map(of);
    this.results = view.features.map((feature, i) => ({ place: places[i]!, aggregate: of(feature) }));
    this.columns = accumulators.map((feature) => (feature.column === '*' ? null : feature.column));
    this.frameBytes = (this.sessions === null ? ENTRY_BYTES : SESSION_BYTES) + 8 * accumulators.length;
    this.json = {
      head: `{"view":${JSON.stringify(view.name)},"key":{`,
      columns: view.groupBy.map(member),
      window: `},"window":{"type":"${view.window.type}","start":`,
      features: view.features.map((feature, i) => member(feature.name, i)),
    };
  }

  /** Whether each change of an entry is a feature record; else only its end is. */
  get showsUpdates(): boolean {
    const { window } = this.view;
    return isTimeWindow(window) ? window.emit === 'updates' : window.type === 'all_time';
  }

  /** Kafka records that a changed entry becomes: its changelog, and where it shows at once its feature. */
  get recordsPerEntry(): number {
    return this.showsUpdates ? 2 : 1;
  }

  /** The most that one entry takes as a record. */
  get largestEntryBytes(): number {
    return largestEntryBytes(this.view.features);
  }

  /** The most entries that one row changes: of a session, the one that it makes of the two that it may join. */
  get entriesPerRow(): number {
    return this.sessions !== null ? 3 : (this.windows?.perRow ?? 1);
  }

  newEntry(upload: string): Entry {
    return { upload, accumulators: this.aggregates.map((aggregate) => aggregate.empty()) };
  }

  cloneEntry(entry: Entry): Entry {
    const { accumulators } = entry;
    return { ...entry, accumulators: this.aggregates.map((aggregate, i) => aggregate.clone(accumulators[i])) };
  }

  /**
   * `into` becomes what it had been, had it seen the rows of `other` too. Where both have a stream time (contributions)
   * it and the upload are the later ones, whatever order they are merged in.
   */
  mergeEntry(into: Entry, other: Entry): void {
    this.aggregates.forEach((aggregate, i) => aggregate.merge(into.accumulators[i], other.accumulators[i]));
    if (other.streamTime === undefined) return;
    if (into.streamTime === undefined || isLaterEntry(other, into)) into.upload = other.upload;
    into.streamTime = laterOf(into.streamTime ?? null, other.streamTime);
  }

  /** About how much memory the open entries take; follows each {@link put} and {@link delete}. */
  get bytes(): number {
    return this.heldBytes;
  }

  put(id: WindowId, group: string, entry: Entry): void {
    this.heldBytes += this.bytesOf(group, entry) - this.bytesAt(id, group);
    this.store.put(id, group, entry);
  }

  delete(id: WindowId, group: string): void {
    this.heldBytes -= this.bytesAt(id, group);
    this.store.delete(id, group);
  }

  private bytesAt(id: WindowId, group: string): number {
    const entry = this.store.get(id, group);
    return entry === undefined ? 0 : this.bytesOf(group, entry);
  }

  private bytesOf(group: string, { accumulators }: Entry): number {
    let bytes = this.frameBytes + textBytes(group);
    // A session that is closed has none any more.
    for (let i = 0; i < accumulators.length; i++) bytes += this.aggregates[i]!.bytes(accumulators[i]);
    return bytes;
  }

  addRow(entry: Entry, row: Row): void {
    for (let i = 0; i < this.aggregates.length; i++) {
      const column = this.columns[i] as string | null;
      // Rows that were published before a column was declared do not have it: that is an empty value.
      this.aggregates[i]!.add(entry.accumulators[i], column === null ? true : (row.cells[column] ?? null), row);
    }
  }

  /** The row's group as it stands in keys. Throws WindowingError `bad_row` when a group value is missing. */
  groupOf(row: Row): string {
    const { groupBy } = this.view;
    if (groupBy.length === 1) return groupText(row, groupBy[0]!);
    return encodeGroup(groupBy.map((column) => groupText(row, column)));
  }
}

/** By stream time, which never falls from one upload to the next; uploads of one stream time by their id. */
function isLaterEntry(one: Entry, other: Entry): boolean {
  const time = one.streamTime ?? null;
  const otherTime = other.streamTime ?? null;
  return time === otherTime ? one.upload > other.upload : laterOf(time, otherTime) === time;
}

const member = (name: string, i: number): string => `${i > 0 ? ',' : ''}${JSON.stringify(name)}:`;

function groupText(row: Row, column: string): string {
  const cell = row.cells[column];
  if (typeof cell === 'string') return cell;
  if (cell !== null && cell !== undefined) return cellText(cell);
  throw new WindowingError(
    'bad_row',
    `row ${row.row} of upload ${row.upload} has no "${column}", which groups it: let only ingest write the rows topic`,
  );
}
