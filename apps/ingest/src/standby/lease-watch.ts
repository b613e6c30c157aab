// Is another ingest active? Told by what it writes into the lease topic, and by how long it has been silent on OUR clock:
// clocks of two machines are never compared.
import type { ProcessIdentity } from './process-identity.js';

/** A record of the lease topic. */
export interface LeaseRecord {
  /** Chosen anew by each process. */
  holder: string;
  process: ProcessIdentity;
  state: 'held' | 'released';
}

/** An active ingest says so as often. */
export const RENEW_MS = 2_000;
/** How often a standby looks. */
export const LOOK_MS = 1_000;
/** So long a silence means that it is gone. With the time to take over it stays below 15 s. */
export const SILENCE_MS = 8_000;
/** A standby that could not look for so long (Kafka away, stopped itself) has not heard a silence. */
const BLIND_MS = 3_000;

export class LeaseWatch {
  private last: LeaseRecord | null = null;
  private heardAtMs: number | null = null;
  private lookedAtMs: number | null = null;

  constructor(private readonly hasEnded: (process: ProcessIdentity) => boolean) {}

  /** What a look into the topic has brought: the records since the last look. `nowMs` of a clock that is never set back. */
  look(records: readonly LeaseRecord[], nowMs: number): void {
    const wasBlind = this.lookedAtMs === null || nowMs - this.lookedAtMs > BLIND_MS;
    if (records.length > 0) this.last = records.at(-1)!;
    if (records.length > 0 || wasBlind) this.heardAtMs = nowMs;
    this.lookedAtMs = nowMs;
  }

  get holder(): string | null {
    return this.last?.state === 'held' ? this.last.holder : null;
  }

  /** Whether nobody is active, as of the last look. */
  get isFree(): boolean {
    if (this.lookedAtMs === null) return false;
    if (this.last === null || this.last.state === 'released' || this.hasEnded(this.last.process)) return true;
    return this.lookedAtMs - this.heardAtMs! >= SILENCE_MS;
  }
}
