// A line with a fixed number of places: files that are checked at once. Who waits for a slow client steps out meanwhile.

export class Line {
  private readonly waiting: (() => void)[] = [];
  private taken = 0;

  constructor(private readonly places: number) {}

  async enter(): Promise<void> {
    if (this.taken < this.places) {
      this.taken++;
      return;
    }
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  leave(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.taken--;
  }

  /** Runs `wait` outside the line. */
  readonly outside = async (wait: () => Promise<void>): Promise<void> => {
    this.leave();
    try {
      await wait();
    } finally {
      await this.enter();
    }
  };
}
