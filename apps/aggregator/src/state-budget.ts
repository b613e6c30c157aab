// How much memory the state of all tasks of this process may take. A task asks for room before it takes more rows or
// restores more entries; without room it pauses: it lets go of its state (Kafka has it) and waits for a higher bound or
// for another process. Control records are handled without asking: what they close makes room.
import { getHeapStatistics } from 'node:v8';
import { KafkaError } from '#kafka';

/** From here on new uploads are turned away. */
const WARN_SHARE = 0.9;
const MIB = 2 ** 20;
/** What V8's limit counts in for young objects, three times its largest semi-space: old ones may not have it. */
const YOUNG_BYTES = 192 * MIB;
/** For the service itself and for the steps and fetches of several tasks at once: measured with a heap of 256 MiB. */
const SERVICE_BYTES = 160 * MIB;
/** Of the rest; what is left is for maps that grow, garbage, and the estimate's error. */
const HEAP_SHARE = 0.5;
const LEAST_BYTES = 16 * MIB;

/** Half of what this process' heap may hold beside young objects and the service's own. */
export function defaultStateBytes(heapBytes = getHeapStatistics().heap_size_limit): number {
  return Math.max(LEAST_BYTES, Math.floor((heapBytes - YOUNG_BYTES - SERVICE_BYTES) * HEAP_SHARE));
}

export class StateBudget {
  private used = 0;

  constructor(readonly maxBytes: number) {}

  get usedBytes(): number {
    return this.used;
  }

  get isNearlyFull(): boolean {
    return this.used >= this.maxBytes * WARN_SHARE;
  }

  /** A task's part of it; `place` names the task in errors. */
  share(place: string): StateShare {
    return new StateShare(this, place, (bytes) => (this.used += bytes));
  }
}

export class StateShare {
  private held = 0;

  constructor(
    private readonly budget: StateBudget,
    private readonly place: string,
    private readonly add: (bytes: number) => void,
  ) {}

  get bytes(): number {
    return this.held;
  }

  /** What the task's state takes now; 0 when it has let go of it. */
  set(bytes: number): void {
    this.add(bytes - this.held);
    this.held = bytes;
  }

  /** Throws KafkaError `state_full` (halt) when the process has reached its bound. */
  assertRoom(): void {
    const { usedBytes, maxBytes } = this.budget;
    if (usedBytes < maxBytes) return;
    throw new KafkaError(
      'state_full',
      `state_full: ${this.place} has paused: the state of this process takes about ${usedBytes} of ${maxBytes} bytes. ` +
        'Raise CAUDAL_STATE_MAX_BYTES (with more memory) and restart, or start another aggregator that takes partitions over',
      { retriable: false, halt: true },
    );
  }
}
