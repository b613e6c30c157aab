// One batch of features into Redis by one atomic script: the arguments it takes, and what its answer says.
import { featureText, LIMITS, type FeatureValue } from '#contracts';
import { RedisError, refusal } from './errors.js';
import type { FeatureWrite } from './feature-key.js';
import { failedListName, markerName, type MarkerCounts, type MarkerKey, type MarkerPosition } from './marker.js';

/**
 * `written`: Redis holds it (or held it already, a repeat). `superseded`: something newer stands there.
 * `wrong_type`, `foreign_view`, `reserved`: this key's own failure; the rest of the batch was written.
 * `expired`: its ttl has passed, nothing was written and nothing is counted.
 */
export type WriteStatus = 'written' | 'superseded' | 'wrong_type' | 'foreign_view' | 'reserved' | 'expired';

interface MarkerMove {
  readonly marker: MarkerKey;
  /** The generation of the log that the writer reads. */
  readonly generation: number;
  /** The marker as the writer last saw it; null: there is none. */
  readonly expected: MarkerPosition | null;
  /**
   * The writer stands at the beginning of the log since the marker is missing, of another generation or beyond the
   * log's end: the marker is created or replaced. Otherwise `expected` must be of this generation.
   */
  readonly fromBeginning: boolean;
  /** The offset behind the last record of the batch. The marker never moves back, unless it is replaced. */
  readonly nextOffset: bigint;
}

export interface UpsertBatch extends MarkerMove {
  /** In log order, some 500; of one partition. */
  readonly writes: readonly FeatureWrite[];
}

/** `moved`: the marker was not the expected one. Nothing was written: read the marker again and seek. */
export type UpsertOutcome =
  | { readonly outcome: 'written'; readonly statuses: readonly WriteStatus[]; readonly marker: MarkerCounts }
  | { readonly outcome: 'moved' };

/** `nextOffset`: behind the end-of-upload record, whose report Kafka has acknowledged. */
export type EndOfUploadPass = MarkerMove;

/** `already_passed`: the marker stood behind that record before; it stays as it is, with its counts. */
export type PassOutcome =
  | { readonly outcome: 'passed'; readonly marker: MarkerCounts }
  | { readonly outcome: 'already_passed' }
  | { readonly outcome: 'moved' };

const GONE_MS = 24 * 3_600_000;
const TEXTS_PER_CALL = 200_000;
const TEXTS_PER_ITEM = 14;
const STATUS: Readonly<Record<string, WriteStatus>> = {
  w: 'written',
  s: 'superseded',
  t: 'wrong_type',
  f: 'foreign_view',
  r: 'reserved',
  e: 'expired',
};

/** Where the marker will stand. Throws when the caller could not stand where it says (a fault of ours). */
export function markerAfter(move: MarkerMove): MarkerPosition {
  const { expected, generation, fromBeginning, nextOffset } = move;
  if (fromBeginning) return { generation, offset: nextOffset };
  if (expected === null) throw new Error('a missing marker is created from the beginning of the log only: seek there');
  if (expected.generation !== generation) {
    throw new Error(`the marker is of generation ${expected.generation}, not ${generation}: start at the beginning`);
  }
  return { generation, offset: nextOffset > expected.offset ? nextOffset : expected.offset };
}

/** Keys and arguments of both scripts' marker guard. */
export function markerGuard(move: MarkerMove): { keys: string[]; args: string[] } {
  const name = markerName(move.marker);
  const after = markerAfter(move);
  return {
    keys: [name, failedListName(name)],
    args: [
      String(move.expected?.generation ?? ''),
      String(move.expected?.offset ?? ''),
      String(after.generation),
      String(after.offset),
      move.fromBeginning ? '1' : '0',
    ],
  };
}

/**
 * The batch as it is, or in parts when its texts are too many for one command (Redis takes 1,048,576). Each part
 * moves the marker behind its own last record, so that it stands by itself.
 */
export function scriptCalls(batch: UpsertBatch): UpsertBatch[] {
  const parts: UpsertBatch[] = [];
  let from = 0;
  let texts = 0;
  batch.writes.forEach((write, at) => {
    const size = TEXTS_PER_ITEM + 2 * Object.keys(write.features ?? {}).length;
    if (texts + size > TEXTS_PER_CALL && at > from) {
      parts.push({ ...batch, nextOffset: write.offset, writes: batch.writes.slice(from, at) });
      from = at;
      texts = 0;
    }
    texts += size;
  });
  return [...parts, parts.length === 0 ? batch : { ...batch, writes: batch.writes.slice(from) }];
}

/** Keys and arguments of the upsert script, in the order that its comment gives. */
export function upsertArguments(batch: UpsertBatch): { keys: string[]; args: string[] } {
  const { keys, args } = markerGuard(batch);
  args.push(String(GONE_MS), String(LIMITS.failedKeysListed));
  // Records below the marker were counted when it passed them.
  const countedFrom = batch.fromBeginning ? 0n : batch.expected!.offset;
  for (const write of batch.writes) {
    keys.push(write.key, `caudal:gone:{${write.key}}`);
    args.push(
      kindOf(write),
      write.offset >= countedFrom ? '1' : '0',
      write.owner,
      String(write.offset),
      write.newestWindowOnly ? '1' : '0',
      String(write.window?.startMs ?? ''),
      String(write.window?.endMs ?? ''),
      write.upload,
      String(write.updatedAtMs),
      write.remainingMs === null ? '' : String(Math.ceil(write.remainingMs)),
    );
    pushFields(args, write.features ?? {});
  }
  return { keys, args };
}

function kindOf(write: FeatureWrite): 'write' | 'delete' | 'reserved' | 'expired' {
  if (write.key.startsWith('caudal:')) return 'reserved';
  if (write.features === null) return 'delete';
  return write.remainingMs !== null && write.remainingMs <= 0 ? 'expired' : 'write';
}

function pushFields(args: string[], features: Readonly<Record<string, FeatureValue>>): void {
  const held: string[] = [];
  const removed: string[] = [];
  for (const [name, value] of Object.entries(features)) {
    if (value === null) removed.push(name);
    else held.push(name, featureText(value));
  }
  args.push(String(held.length), ...held, String(removed.length), ...removed);
}

/** Throws {@link RedisError} when Redis refused in the middle: the marker has not moved, the batch may be repeated. */
export function readUpsertReply(batch: UpsertBatch, reply: unknown): UpsertOutcome {
  const [outcome, detail, written, superseded, failed] = replyParts(reply);
  if (outcome === 'moved') return { outcome };
  const statuses = Array.from(String(detail), (letter) => STATUS[letter]);
  if (outcome !== 'written' || statuses.length !== batch.writes.length || statuses.includes(undefined)) {
    throw strangeReply(reply);
  }
  const counts = { written: Number(written), superseded: Number(superseded), failed: Number(failed) };
  return { outcome, statuses: statuses as WriteStatus[], marker: { ...markerAfter(batch), ...counts } };
}

/** Whether the marker had passed the record before, so that there is nothing to do. */
export function isAlreadyPassed(pass: EndOfUploadPass): boolean {
  return !pass.fromBeginning && pass.nextOffset <= markerBefore(pass).offset;
}

function markerBefore(pass: EndOfUploadPass): MarkerPosition {
  markerAfter(pass);
  return pass.expected!;
}

export function readPassReply(pass: EndOfUploadPass, reply: unknown): PassOutcome {
  const [outcome] = replyParts(reply);
  if (outcome === 'moved') return { outcome };
  if (outcome !== 'passed') throw strangeReply(reply);
  return { outcome, marker: { ...markerAfter(pass), written: 0, superseded: 0, failed: 0 } };
}

/** What {@link parseMarker} takes. */
export function readMarkerReply(reply: unknown): [values: (string | null)[], failedKeys: string[]] {
  const [outcome, values, failedKeys] = replyParts(reply);
  if (outcome !== 'marker' || !Array.isArray(values) || !Array.isArray(failedKeys)) throw strangeReply(reply);
  return [values, failedKeys];
}

function replyParts(reply: unknown): unknown[] {
  if (!Array.isArray(reply)) throw strangeReply(reply);
  if (reply[0] === 'error') throw refusal(String(reply[1]));
  return reply;
}

function strangeReply(reply: unknown): RedisError {
  return new RedisError(
    'redis_refused',
    `Redis answered a script with ${JSON.stringify(reply)}: is REDIS_URL a Redis?`,
    {
      retriable: false,
    },
  );
}
