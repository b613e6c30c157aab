// A short name for each view's definition and for when it began, by which contributions to a view as it was, or before it
// was away from the pipeline file, are told from those to what it is.
import type { PipelineChange } from '#contracts';
import type { Fingerprint } from '#windowing';
import { createHash } from 'node:crypto';

export interface ViewVersion {
  definition: string;
  /** As {@link PipelineChange} says; 0 for a view that was there from the first. */
  began: number;
}

export function viewVersions(
  { views }: Pick<Fingerprint, 'views'>,
  began: PipelineChange['began'],
): Map<string, ViewVersion> {
  const definition = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8);
  return new Map(
    Object.entries(views).map(([view, text]) => [view, { definition: definition(text), began: began[view] ?? 0 }]),
  );
}

export const encodeVersion = ({ definition, began }: ViewVersion): string => `${definition}.${began}`;

export function decodeVersion(text: string): ViewVersion {
  const [definition, began] = text.split('.');
  return { definition: definition!, began: Number(began) };
}
