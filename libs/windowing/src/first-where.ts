// Binary search in a sorted list.

/** The first index whose item is `right`; all after it must be too. The length when there is none. */
export function firstWhere<T>(list: readonly T[], right: (item: T) => boolean): number {
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (right(list[middle]!)) to = middle;
    else from = middle + 1;
  }
  return from;
}
