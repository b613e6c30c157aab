// Records of `partials`: what rows contribute to views that are not grouped by the key columns. A contribution is the
// aggregate of one step's rows of one (view, group, window); it lies in the partition of its group. Control records are
// those of `rows`, sent on by every source (a rows task) to every partition, behind the contributions that precede them.
import { decodeControl, encodeControl, type ControlRecord } from './control-record.js';

export interface Contribution {
  /** `<view>` NUL `<group>` NUL `<window>`, as a changelog's key. */
  readonly key: string;
  /** Of the source's topics when it sent this: a reset makes what was sent before it void. */
  readonly generation: number;
  /** The source's stream time when it judged these rows, epoch ms. */
  readonly streamTime: number | null;
  /** Names the view's definition: after a change, contributions to the view as it was are void. */
  readonly version: string;
  /** `[upload, accumulator...]`, as a changelog's value. */
  readonly entry: unknown;
}

/** `entry` is JSON text. */
export function encodeContribution(contribution: Contribution & { entry: string }): { key: string; value: string } {
  const { key, generation, streamTime, version, entry } = contribution;
  return { key, value: `[${generation},${streamTime},"${version}",${entry}]` };
}

/** A control record of one source. */
export interface SourceControl extends ControlRecord {
  /** The partition of `rows` that it reads. */
  readonly source: number;
  /** As of its contributions. */
  readonly generation: number;
}

export function encodeSourceControl(record: SourceControl): ReturnType<typeof encodeControl> {
  const { key, value, headers } = encodeControl(record);
  return { key, value, headers: { ...headers, source: String(record.source), generation: String(record.generation) } };
}

type Message = Parameters<typeof decodeControl>[0];

/** The control record in a message of `partials`, or null for a contribution. */
export function decodeSourceControl(message: Message): SourceControl | null {
  const control = decodeControl(message);
  if (control === null) return null;
  const { source, generation } = message.headers;
  return { ...control, source: Number(source?.toString()), generation: Number(generation?.toString()) };
}

/** Null for what is no contribution. */
export function decodeContribution(message: Pick<Message, 'key' | 'value'>): Contribution | null {
  if (message.key === null || message.value === null) return null;
  const parts = JSON.parse(message.value.toString()) as unknown;
  if (!Array.isArray(parts) || parts.length !== 4 || typeof parts[0] !== 'number') return null;
  const [generation, streamTime, version, entry] = parts as [number, number | null, string, unknown];
  return { key: message.key.toString(), generation, streamTime, version, entry };
}
