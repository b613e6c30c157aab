// Kafka in the simulation: logs with open, committed and aborted records, markers that are written some time after a
// transaction is decided, reads up to the last stable offset, and fencing by transactional id and epoch.
import type { KafkaRecord, OutRecord } from '#kafka';
import type { Owner, Scheduler } from './scheduler.js';

interface Transaction {
  state: 'open' | 'committing' | 'aborting';
  logs: Set<PartitionLog>;
  /** Turn of the scheduler at which it began. */
  since: number;
  /** Group offsets that its commit makes valid. */
  offsets: Map<string, bigint>;
}

interface Entry {
  record: KafkaRecord;
  transaction: Transaction | null;
  isMarker: boolean;
}

interface Coordinated {
  epoch: number;
  transaction: Transaction | null;
}

const TRANSACTION_TURNS_MAX = 500;

/** As kafkajs reports it. */
function protocolError(type: string): Error {
  return Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type, retriable: false });
}

class PartitionLog {
  readonly entries: Entry[] = [];
  /** Transactions whose marker stands here. */
  readonly decided = new Set<Transaction>();

  /** Nothing below is part of an undecided transaction; only grows. */
  private stable = 0;

  get lastStable(): number {
    for (; this.stable < this.entries.length; this.stable++) {
      const { transaction } = this.entries[this.stable]!;
      if (transaction !== null && !this.decided.has(transaction)) break;
    }
    return this.stable;
  }

  isVisible({ transaction, isMarker }: Entry): boolean {
    return !isMarker && (transaction === null || transaction.state === 'committing');
  }
}

export class SimBroker implements Owner {
  readonly isStopped = false;
  readonly isDead = false;
  /** Committed group offsets by `<topic>/<partition>`. */
  readonly groupOffsets = new Map<string, bigint>();
  private readonly logs = new Map<string, PartitionLog>();
  private readonly ids = new Map<string, Coordinated>();
  private undecided = 0;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly partitions: number,
  ) {}

  /** Whether every transaction has ended and is marked. */
  get isCalm(): boolean {
    return this.undecided === 0;
  }

  log(topic: string, partition: number): PartitionLog {
    const name = `${topic}/${partition}`;
    const log = this.logs.get(name) ?? new PartitionLog();
    this.logs.set(name, log);
    return log;
  }

  /** Everything that a read_committed consumer sees now. */
  committed(topic: string, partition: number): KafkaRecord[] {
    return this.read(topic, partition, 0n, Number.MAX_SAFE_INTEGER).records;
  }

  /** The last stable offset. */
  end(topic: string, partition: number): bigint {
    return BigInt(this.log(topic, partition).lastStable);
  }

  /** At most `limit` records from `from`, below the last stable offset. `next` lies behind what was passed over. */
  read(topic: string, partition: number, from: bigint, limit: number) {
    const log = this.log(topic, partition);
    const { lastStable } = log;
    const records: KafkaRecord[] = [];
    let at = Number(from);
    for (; at < lastStable && records.length < limit; at++) {
      const entry = log.entries[at]!;
      if (log.isVisible(entry)) records.push(entry.record);
    }
    return { records, next: BigInt(at), lastStable: BigInt(lastStable), end: BigInt(log.entries.length) };
  }

  offsets(topic: string) {
    return Array.from({ length: this.partitions }, (_, partition) => {
      return { partition, start: 0n, end: BigInt(this.log(topic, partition).entries.length) };
    });
  }

  append(out: OutRecord, transaction: Transaction | null = null): bigint {
    const { topic, partition, key, value, headers } = out;
    const log = this.log(topic, partition);
    const bytes = (text: string | Buffer | null) => (typeof text === 'string' ? Buffer.from(text) : text);
    const entries = Object.entries(headers ?? {}).map(([name, text]) => [name, Buffer.from(text)] as const);
    const offset = BigInt(log.entries.length);
    const record = { topic, partition, offset, timestampMs: 0, key: bytes(key), value: bytes(value) };
    log.entries.push({ record: { ...record, headers: Object.fromEntries(entries) }, transaction, isMarker: false });
    return offset;
  }

  /** InitProducerId: fences at once, and answers when what the earlier owner left open is aborted and marked. */
  async initProducer(id: string): Promise<number> {
    const known = this.ids.get(id) ?? { epoch: -1, transaction: null };
    this.ids.set(id, known);
    const epoch = ++known.epoch;
    if (known.transaction?.state === 'open') this.decide(known, 'aborting');
    await this.marked(known);
    return epoch;
  }

  async produce(id: string, epoch: number, records: readonly OutRecord[]): Promise<bigint[]> {
    const transaction = await this.ongoing(id, epoch);
    return records.map((record) => {
      transaction.logs.add(this.log(record.topic, record.partition));
      return this.append(record, transaction);
    });
  }

  async sendOffset(id: string, epoch: number, name: string, offset: bigint): Promise<void> {
    (await this.ongoing(id, epoch)).offsets.set(name, offset);
  }

  /** EndTxn: decides whatever transaction of this id is open, also one that began after the request was sent. */
  endTransaction(id: string, epoch: number, how: 'committing' | 'aborting'): void {
    const known = this.owned(id, epoch);
    if (known.transaction === null) throw protocolError('INVALID_TXN_STATE');
    if (known.transaction.state === 'open') this.decide(known, how);
    else if (known.transaction.state !== how) throw protocolError('INVALID_TXN_STATE');
  }

  /** Aborts what has been open for too long, and fences its producer: to it that looks like a newer owner. */
  expire(): void {
    for (const known of this.ids.values()) {
      const { transaction } = known;
      if (transaction?.state !== 'open' || this.scheduler.steps - transaction.since < TRANSACTION_TURNS_MAX) continue;
      known.epoch++;
      this.decide(known, 'aborting');
    }
  }

  private owned(id: string, epoch: number): Coordinated {
    const known = this.ids.get(id);
    if (known?.epoch !== epoch) throw protocolError('INVALID_PRODUCER_EPOCH');
    return known;
  }

  private async ongoing(id: string, epoch: number): Promise<Transaction> {
    const known = this.owned(id, epoch);
    // CONCURRENT_TRANSACTIONS, which clients try again: the one before is decided and not marked yet.
    if (known.transaction !== null && known.transaction.state !== 'open') await this.marked(known);
    this.owned(id, epoch);
    if (known.transaction === null) this.undecided++;
    known.transaction ??= { state: 'open', since: this.scheduler.steps, logs: new Set(), offsets: new Map() };
    return known.transaction;
  }

  private async marked(known: Coordinated): Promise<void> {
    while (known.transaction !== null && known.transaction.state !== 'open') await this.scheduler.turn(this);
  }

  /** The markers come later, one partition after the other. */
  private decide(known: Coordinated, how: 'committing' | 'aborting'): void {
    const transaction = known.transaction!;
    transaction.state = how;
    const mark = async () => {
      for (const log of transaction.logs) {
        await this.scheduler.turn(this);
        log.decided.add(transaction);
        const record = { ...log.entries.at(-1)!.record, offset: BigInt(log.entries.length), key: null, value: null };
        log.entries.push({ record, transaction, isMarker: true });
      }
      if (how === 'committing') for (const [name, offset] of transaction.offsets) this.groupOffsets.set(name, offset);
      known.transaction = null;
      this.undecided--;
    };
    void mark();
  }
}
