// Ids of runs in the order of creation (ULIDs sort by time), by pipeline, by state and by both: a page is read off the end
// of one list, whatever the filter and however many runs there are.

export interface Indexed {
  readonly id: string;
  readonly pipeline: string;
  readonly state: string;
}

export interface RunFilter {
  pipeline?: string | undefined;
  state?: string | undefined;
}

export class RunIndex {
  private readonly lists = new Map<string, string[]>();

  add(run: Indexed): void {
    for (const name of listsOf(run)) {
      const ids = this.lists.get(name);
      if (ids) ids.splice(lowerBound(ids, run.id), 0, run.id);
      else this.lists.set(name, [run.id]);
    }
  }

  remove(run: Indexed): void {
    for (const name of listsOf(run)) {
      const ids = this.lists.get(name) ?? [];
      const at = lowerBound(ids, run.id);
      if (ids[at] === run.id) ids.splice(at, 1);
      if (ids.length === 0) this.lists.delete(name);
    }
  }

  /** How many runs are in this state. */
  count(filter: RunFilter): number {
    return this.lists.get(nameOf(filter))?.length ?? 0;
  }

  /** Newest first, beginning after `cursor` (an id, which need not exist any more). */
  *newest(filter: RunFilter, cursor?: string): Generator<string> {
    const ids = this.lists.get(nameOf(filter)) ?? [];
    const start = cursor === undefined ? ids.length : lowerBound(ids, cursor);
    for (let at = start - 1; at >= 0; at--) yield ids[at]!;
  }

  /** A copy of the oldest ids up to, not including, `before`. */
  olderThan(filter: RunFilter, before: string): string[] {
    const ids = this.lists.get(nameOf(filter)) ?? [];
    return ids.slice(0, lowerBound(ids, before));
  }
}

const nameOf = ({ pipeline = '', state = '' }: RunFilter): string => `${pipeline}/${state}`;

function listsOf({ pipeline, state }: Indexed): string[] {
  return [nameOf({}), nameOf({ pipeline }), nameOf({ state }), nameOf({ pipeline, state })];
}

/** First index whose id is not below `id`. */
function lowerBound(ids: readonly string[], id: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
