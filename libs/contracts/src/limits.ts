// Every bound that makes records small by construction; the limits table of the docs is these numbers.

export const LIMITS = {
  rowJsonBytes: 256 * 1024,
  fieldBytes: 64 * 1024,
  columns: 1_000,
  groupValueBytes: 1024,
  uniqueValues: 10_000_000,
  patternCharacters: 4_096,
  deadLetterRawBytes: 8 * 1024,
  deadLettersOfRefusedFile: 10_000,
  runPartBytes: 512 * 1024,
  bodyBytes: 4 * 1024 ** 3,
  uncompressedBytes: 16 * 1024 ** 3,
  bodiesAtOnce: 512,
  filesCheckedAtOnce: 8,
  rehearsalItemsPerView: 10_000,
  rehearsalGroups: 200_000,
  failedKeysListed: 100,
  transactionRecords: 20_000,
  stepRows: 10_000,
  closedPerTransaction: 10_000,
  topicMessageBytes: 2 * 1024 * 1024,
} as const;
