// The one error of this library: a file whose header cannot be read has no rows to accept or reject.

export type CsvErrorCode = 'encoding' | 'nul' | 'quote' | 'too_large';

/** Never retriable: the same bytes fail again, the file has to be written anew. */
export class CsvError extends Error {
  readonly retriable = false;
  constructor(
    readonly code: CsvErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'CsvError';
  }
}
