// `stage: features`: the views that have checks, computed from this file alone as a rehearsal computes them.
import { checkedViews, ViewInspection } from '#checks';
import { dateDay, LIMITS, type Pipeline } from '#contracts';
import { TooManyGroups } from '#gate';
import { computeTypedFile } from '../rehearsal/compute-typed-file.js';

/** `tooMany`: why nothing was computed; the inspections have seen nothing then. */
export interface InspectedViews {
  inspections: ViewInspection[];
  tooMany: string | null;
}

export async function inspectViews(pipeline: Pipeline, runDate: string, typedPath: string): Promise<InspectedViews> {
  const runDay = dateDay(runDate)!;
  const inspections = checkedViews(pipeline).map((view) => new ViewInspection(pipeline, view, runDay));
  if (inspections.length === 0) return { inspections, tooMany: null };
  const byName = new Map(inspections.map((inspection) => [inspection.table, inspection]));
  try {
    const computation = await computeTypedFile(pipeline, typedPath);
    for (const record of computation.results()) byName.get(record.view)?.add(record);
    return { inspections, tooMany: null };
  } catch (error) {
    if (!(error instanceof TooManyGroups)) throw error;
    return {
      inspections,
      tooMany: `the file has more than ${LIMITS.rehearsalGroups} groups: too many to check its features`,
    };
  }
}
