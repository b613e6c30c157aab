// A control record may close a million windows: 10,000 a transaction. The input offset stays on the control record until
// all is out, and what is closed is deleted in the same transaction: what remains is what is due.
import type { Due } from '#windowing';

/**
 * Commits every part but the last; answers the last, not committed yet: it goes out with what the control record itself
 * changes. `nextPart` is asked anew after each commit.
 */
export async function closeAllButLast(nextPart: () => Due, commitPart: (part: Due) => Promise<void>): Promise<Due> {
  for (;;) {
    const part = nextPart();
    if (part.done) return part;
    await commitPart(part);
    part.commit();
  }
}
