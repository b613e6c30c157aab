// One kafkajs admin for all of a client's questions; after an error a new one, for kafkajs keeps asking for topics that
// were deleted since.
import type { Admin, Kafka, RetryOptions } from 'kafkajs';
import { toKafkaError } from './errors.js';

interface Opened {
  admin: Promise<Admin>;
  /** Calls under way. kafkajs leaves calls hanging whose connection is closed under them: the last one closes it. */
  calls: number;
  isDropped: boolean;
}

export class SharedAdmin {
  #opened: Opened | null = null;

  constructor(
    private readonly kafka: Kafka,
    private readonly retry: RetryOptions,
  ) {}

  /** Opens the admin when there is none. Throws a KafkaError, or kafkajs' list of errors as it is. */
  async call<Result>(call: (admin: Admin) => Promise<Result>): Promise<Result> {
    const opened = (this.#opened ??= { admin: this.#open(), calls: 0, isDropped: false });
    opened.calls++;
    try {
      return await call(await opened.admin);
    } catch (error) {
      this.#drop(opened);
      throw hasErrorList(error) ? error : toKafkaError(error);
    } finally {
      opened.calls--;
      if (opened.isDropped && opened.calls === 0) await disconnectQuietly(opened);
    }
  }

  /** Lets go of the connection, once the calls under way are answered; the next call opens another. */
  async drop(): Promise<void> {
    const opened = this.#opened;
    if (opened === null) return;
    this.#drop(opened);
    if (opened.calls === 0) await disconnectQuietly(opened);
  }

  async #open(): Promise<Admin> {
    const admin = this.kafka.admin({ retry: this.retry });
    await admin.connect();
    return admin;
  }

  #drop(opened: Opened): void {
    opened.isDropped = true;
    if (this.#opened === opened) this.#opened = null;
  }
}

async function disconnectQuietly({ admin }: Opened): Promise<void> {
  try {
    await (await admin).disconnect();
  } catch {
    // It never opened, or its connection is gone: both are what was wanted.
  }
}

/** createTopics' list of errors is for topics.ts to read. */
function hasErrorList(error: unknown): boolean {
  return error instanceof Error && 'errors' in error;
}
