// An entry as records: its changelog key and value, and its feature record; and back from the changelog.
import { decodeGroup, featureKey, type FeatureRecord, type FeatureValue } from '#contracts';
import type { JsonValue } from './aggregates/aggregate.js';
import { WindowingError } from './errors.js';
import type { ViewState } from './view-state.js';
import { closedSession, type SessionEntry } from './session-store.js';
import { parseWindowId, windowStartMs, type WindowId } from './window.js';
import type { Entry } from './window-store.js';

const NUL = '\u0000';

/** What one changed entry writes to Kafka. */
export interface EntryChange {
  /** `<view>` NUL `<group>` NUL `<window>`: start ms, the upload's id, or nothing for all_time. */
  changelogKey: string;
  /**
   * `[upload, accumulator...]` as JSON, of a session `[upload, end, floor, floor's epoch, since, accumulator...]`; where contributions of
   * several sources are merged their stream time stands behind. Null deletes.
   */
  changelogValue: string | null;
  /** Key and value for the features topic, a null value retracts; null when nothing is to be shown (yet). */
  feature: { key: string; value: string | null } | null;
}

export function changelogKey(view: string, group: string, id: WindowId): string {
  return `${view}${NUL}${group}${NUL}${id}`;
}

/** View, group and window of a changelog key. Group values may hold anything, the outer parts never hold NUL. */
export function parseChangelogKey(key: string): { view: string; group: string; window: string } {
  const first = key.indexOf(NUL);
  const last = key.lastIndexOf(NUL);
  if (first < 1 || first === last) throw badChangelog(key, 'its key has not three parts');
  return { view: key.slice(0, first), group: key.slice(first + 1, last), window: key.slice(last + 1) };
}

/** What an entry that a step has changed writes. */
export function changeOf(
  state: ViewState,
  at: { id: WindowId; group: string; entry: Entry; streamTime: number | null },
): EntryChange {
  const { id, group, entry } = at;
  const streamTime = entry.streamTime === undefined ? at.streamTime : entry.streamTime;
  return {
    changelogKey: changelogKey(state.view.name, group, id),
    changelogValue: encodeEntry(state, entry),
    feature: state.showsUpdates ? encodeFeature(state, { id, group, entry, streamTime, final: false }) : null,
  };
}

/** A session that became part of an earlier one: what was shown of it is taken back. */
export function retractionOf({ view, showsUpdates }: ViewState, startMs: number, group: string): EntryChange {
  return {
    changelogKey: changelogKey(view.name, group, startMs),
    changelogValue: null,
    feature: showsUpdates ? { key: featureKey(view.name, group, startMs), value: null } : null,
  };
}

export function encodeEntry({ aggregates, sessions }: ViewState, entry: Entry): string {
  let json = `[${JSON.stringify(entry.upload)}`;
  if (sessions !== null) {
    const { endMs, floorMs, floorEpoch, sinceMs, isClosed } = entry as SessionEntry;
    if (isClosed) return `[${endMs}]`;
    json += `,${endMs},${floorMs},${floorEpoch},${sinceMs}`;
  }
  for (let i = 0; i < aggregates.length; i++) {
    json += `,${jsonText(aggregates[i]!.encode(entry.accumulators[i]))}`;
  }
  return entry.streamTime === undefined ? `${json}]` : `${json},${entry.streamTime}]`;
}

/** JSON.stringify is dear for what is almost always a number, a short text or null: this runs for every changed entry. */
function jsonText(value: JsonValue | FeatureValue): string {
  return typeof value === 'number' ? String(value) : value === null ? 'null' : JSON.stringify(value);
}

/** Of what {@link encodeEntry} made, as text or parsed. Throws WindowingError `bad_changelog`. */
export function decodeEntry({ aggregates, sessions }: ViewState, key: string, value: unknown): Entry {
  const parts = typeof value === 'string' ? parseJson(key, value) : value;
  if (sessions !== null && Array.isArray(parts) && parts.length === 1 && Number.isSafeInteger(parts[0])) {
    return closedSession(parts[0] as number);
  }
  const before = sessions === null ? 1 : 5;
  const size = aggregates.length + before;
  if (!Array.isArray(parts) || typeof parts[0] !== 'string' || !hasSize(parts, size)) {
    throw badChangelog(key, `its value is not an upload and ${aggregates.length} accumulators`);
  }
  const streamTime = parts.length > size ? { streamTime: parts[size] as number | null } : {};
  const span = sessions === null ? null : decodeSpan(key, parts);
  const accumulators: unknown[] = parts.slice(before);
  try {
    const decoded = aggregates.map((aggregate, i) => aggregate.decode(accumulators[i]));
    return { upload: parts[0], accumulators: decoded, ...span, ...streamTime };
  } catch (cause) {
    throw badChangelog(key, 'an accumulator does not decode', cause);
  }
}

function parseJson(key: string, value: string): unknown {
  try {
    return JSON.parse(value);
  } catch (cause) {
    throw badChangelog(key, 'its value is no JSON', cause);
  }
}

/** With or without the stream time behind. */
function hasSize(parts: readonly unknown[], size: number): boolean {
  if (parts.length === size) return true;
  return parts.length === size + 1 && (parts[size] === null || typeof parts[size] === 'number');
}

function decodeSpan(key: string, parts: readonly unknown[]): Omit<SessionEntry, keyof Entry> {
  const [, endMs, floorMs, floorEpoch, sinceMs] = parts as [unknown, number, number | null, number, number | null];
  const isTime = (time: number | null) => time === null || Number.isSafeInteger(time);
  if (Number.isSafeInteger(endMs) && isTime(floorMs) && Number.isSafeInteger(floorEpoch) && isTime(sinceMs)) {
    return { endMs, floorMs, floorEpoch, sinceMs, isClosed: false };
  }
  throw badChangelog(key, 'it has no end of its session');
}

/** The window, once it and the group are seen to fit the view. Throws WindowingError `bad_changelog`. */
export function decodeWindow({ view, windows }: ViewState, key: string, group: string, text: string): WindowId {
  const id = parseWindowId(view.window.type, windows, text);
  if (id === null) throw badChangelog(key, `"${text}" is no ${view.window.type} window of view "${view.name}"`);
  if (view.groupBy.length > 1 && !isGroup(group, view.groupBy.length)) {
    throw badChangelog(key, `its group is not ${view.groupBy.length} texts`);
  }
  return id;
}

function isGroup(text: string, columns: number): boolean {
  try {
    const values: unknown = decodeGroup(text, columns);
    return Array.isArray(values) && values.length === columns && values.every((value) => typeof value === 'string');
  } catch {
    return false;
  }
}

export function badChangelog(key: string, reason: string, cause?: unknown): WindowingError {
  const shown = JSON.stringify(key.slice(0, 200));
  return new WindowingError(
    'bad_changelog',
    `changelog record ${shown} cannot be restored: ${reason}. The pipeline file differs from the one the state was ` +
      'made with: bring that file back, or give the state up with "caudal reset"',
    cause === undefined ? undefined : { cause },
  );
}

/** Key and value of an entry's feature record. */
export function encodeFeature(
  { view, results, json, windows }: ViewState,
  at: { id: WindowId; group: string; entry: Entry; final: boolean; streamTime: number | null },
): { key: string; value: string } {
  const { id, group, entry, final, streamTime } = at;
  const startMs = windowStartMs(id);
  const endMs = startMs === null ? null : windows === null ? (entry as SessionEntry).endMs : windows.endMs(startMs);
  // Written by hand, in the contract's order: an object would put a column named "1" before one named "a".
  let value = json.head;
  if (json.columns.length === 1) {
    value += json.columns[0]! + JSON.stringify(group);
  } else {
    const values = decodeGroup(group, json.columns.length);
    for (let i = 0; i < values.length; i++) value += json.columns[i]! + JSON.stringify(values[i]);
  }
  value += `${json.window}${startMs},"end":${endMs}},"features":{`;
  for (let i = 0; i < results.length; i++) {
    const { place, aggregate } = results[i]!;
    value += json.features[i]! + jsonText(aggregate.result(entry.accumulators[place]));
  }
  value += `},"final":${final},"upload":${JSON.stringify(entry.upload)},"stream_time":${streamTime}}`;
  return { key: featureKey(view.name, group, startMs), value };
}

/** The same record as an object. */
export function featureRecord(state: ViewState, at: Parameters<typeof encodeFeature>[1]): FeatureRecord {
  return JSON.parse(encodeFeature(state, at).value) as FeatureRecord;
}
