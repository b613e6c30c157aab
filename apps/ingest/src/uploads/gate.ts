// Second station: one pass over the spooled body types and checks every record and decides whether the file may
// enter (libs/gate). Nothing of a refused file is published. What passes is left as a typed file for the publisher.
import { examineFile, type Examined, type ExaminedFile } from '#gate';
import { partitionForKey } from '#kafka';
import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { TypedFileWriter } from './typed-file.js';

const YIELD_AFTER_MS = 10;
const FLUSH_BYTES = 1 << 20;

export interface GateArgs extends ExaminedFile {
  partitions: number;
  typedPath: string;
  /** The service is stopping: the pass ends with the signal's reason. */
  stop: AbortSignal;
  /** Told of the records read so far, now and then. */
  onRead?: (rows: number) => void;
}

/** Reads the source once. Throws what the source throws (a broken body) and what the disk says, never for bad data. */
export async function gate(args: GateArgs): Promise<Examined> {
  const typed = await TypedFileWriter.create(args.typedPath);
  const partitionOf = cachedPartitions(args.partitions);
  let busySince = performance.now();
  try {
    return await examineFile(args, {
      accepted: (row, timeMs, key, json) => typed.accepted(partitionOf(key), row, timeMs, key, json),
      rejected: (row, letter) => typed.rejected(row, JSON.stringify(letter)),
      pause: async (read) => {
        if (typed.pendingBytes > FLUSH_BYTES) await typed.flush();
        args.onRead?.(read);
        if (performance.now() - busySince <= YIELD_AFTER_MS) return;
        await yieldToEvents();
        args.stop.throwIfAborted();
        busySince = performance.now();
      },
    });
  } finally {
    await typed.close();
  }
}

/** Keys repeat: murmur2 of each is computed once, within a bound. */
function cachedPartitions(partitions: number): (key: string) => number {
  const known = new Map<string, number>();
  return (key) => {
    let partition = known.get(key);
    if (partition === undefined) {
      partition = partitionForKey(key, partitions);
      if (known.size >= 100_000) known.clear();
      known.set(key, partition);
    }
    return partition;
  };
}
