// What a task can find in its input that makes it halt: results would be wrong without a word. `input`: topic/partition.
import type { ControlKind, ControlRecord } from '#contracts';
import { KafkaError } from '#kafka';

/** A later version's kind must not be taken for one of these: it could close windows that are to stay open. */
const CONTROL_KINDS: ReadonlySet<string> = new Set<ControlKind>([
  'end-of-upload',
  'cancel-upload',
  'watermark',
  'pipeline-changed',
  'reset',
]);

/** A row that is missing was deleted before it was read. `rows`: how many of the upload were read before its end. */
export function rowsLost(input: string, control: ControlRecord, rows: number, offset: bigint): KafkaError {
  return new KafkaError(
    'input_lost',
    `input_lost: ${input}: upload ${control.upload} has ${control.rowsInPartition} rows in this partition, ${rows} were read before ` +
      `its end at offset ${offset}: rows were deleted before they were read. Raise retention.rows, and give the ` +
      'state up with "caudal reset PIPELINE --accept-loss"',
    { retriable: false, halt: true },
  );
}

export function foreignRecord(input: string, offset: bigint, what: string): KafkaError {
  return new KafkaError(
    'foreign_record',
    `${input}: offset ${offset} holds ${what}. Only Caudal of this version may write this topic: update all services, ` +
      'or give the pipeline a new name',
    { retriable: false, halt: true },
  );
}

export function assertKnownKind(input: string, { kind }: ControlRecord, offset: bigint): void {
  if (!CONTROL_KINDS.has(kind)) throw foreignRecord(input, offset, `a control record of the unknown kind "${kind}"`);
}
