// For mistakes in pipeline files: the allowed word that was probably meant.

/** ` (did you mean "x"?)` with the nearest of `allowed`, or nothing when none is near. */
export function didYouMean(word: string, allowed: readonly string[]): string {
  let nearest = '';
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const other of allowed) {
    const edits = editDistance(word.toLowerCase(), other.toLowerCase());
    if (edits < least) [nearest, least] = [other, edits];
  }
  return nearest === '' ? '' : ` (did you mean "${nearest}"?)`;
}

/** Letters to insert, delete or replace, or neighbours to swap. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let edits = Math.min(last[column]! + 1, next[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) edits = Math.min(edits, before[column - 2]! + 1);
      next.push(edits);
    }
    [before, last] = [last, next];
  }
  return last[b.length]!;
}
