// What can go wrong in the pure core. None of it passes by itself: each message says what to do next.

export type WindowingErrorCode =
  /** A text or number that is no plain decimal. */
  | 'bad_decimal'
  /** A row that breaks the contract: a group value is missing, or its time is no integer. */
  | 'bad_row'
  /** A changelog record of an unknown view, or one that does not decode. */
  | 'bad_changelog'
  /** A step, or a closing, that was made before something else changed the state. */
  | 'stale_step';

export class WindowingError extends Error {
  readonly retriable = false;
  constructor(
    readonly code: WindowingErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'WindowingError';
  }
}
