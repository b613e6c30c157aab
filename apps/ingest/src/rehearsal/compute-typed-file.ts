// The features of one file, computed from its typed file without keeping the event loop from anybody.
import { decodeRow, LIMITS, type Pipeline } from '#contracts';
import { FileComputation } from '#gate';
import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { readTypedFile } from '../uploads/typed-file.js';

const ROWS_PER_TURN = 1_000;

/** `beforeTurn` is called now and then, and ends the computation by throwing. Throws TooManyGroups. */
export async function computeTypedFile(
  pipeline: Pipeline,
  typedPath: string,
  beforeTurn: () => void = () => undefined,
): Promise<FileComputation> {
  const computation = new FileComputation(pipeline, LIMITS.rehearsalGroups);
  for await (const frames of readTypedFile(typedPath, 1)) {
    for (const { row, partition, value } of frames) {
      computation.add(row, partition === null ? null : decodeRow(value));
      if (row % ROWS_PER_TURN !== 0) continue;
      await yieldToEvents();
      beforeTurn();
    }
  }
  computation.end();
  return computation;
}
