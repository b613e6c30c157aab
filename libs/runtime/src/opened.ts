// What a service has opened while it starts: closed in reverse when it stops, and when its start fails half-way, so that
// a start that is tried again finds no ports taken and leaves no connections behind.

export class Opened {
  readonly #closers: (() => Promise<unknown> | unknown)[] = [];

  /** Remembers how to close what was just opened. */
  add(close: () => Promise<unknown> | unknown): void {
    this.#closers.push(close);
  }

  /** Closes all, the last one first; one that fails keeps no other open. Throws the first failure. A second call does nothing. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** What `open` answers; when it fails, all that was opened is closed first. */
  static async by<Result>(open: (opened: Opened) => Promise<Result>): Promise<Result> {
    const opened = new Opened();
    try {
      return await open(opened);
    } catch (error) {
      await opened.close().catch(() => undefined); // why the start failed is what matters
      throw error;
    }
  }
}
