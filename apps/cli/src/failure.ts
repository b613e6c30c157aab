// How a command ends when it does not end well: a message for a person, a document for a machine, an exit code.

export const EXIT = { done: 0, failed: 1, wrongUse: 2 } as const;

/** Thrown by a command: `message` says what to do next; `document` is what `--json` prints beside it. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
    readonly document: object = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The command was called in a way that cannot work: nothing was done. */
export class WrongUse extends Failure {
  constructor(message: string, document: object = {}) {
    super(message, EXIT.wrongUse, document);
  }
}
