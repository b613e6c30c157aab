// What a task can find in its input that makes it halt: results would be wrong without a word. `input`: topic/partition.
import type { ControlRecord } from '#contracts';
import { KafkaError } from '#kafka';

/** A row that is missing was deleted before it was read. `rows`: how many of the upload were read before its end. */
export function rowsLost(input: string, control: ControlRecord, rows: number, offset: bigint): KafkaError {
  return new KafkaError(
    'input_lost',
    `${input}: upload ${control.upload} has ${control.rowsInPartition} rows in this partition, ${rows} were read before ` +
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
