// What one client may send: so many bodies at once, so many bytes a day. Counted in memory by the token's name: a restart
// begins anew. Where nobody is asked for a token there are no quotas.
import type { Client } from '#runtime';
import { Problem } from '../problem.js';

export interface QuotaLimits {
  clientBodies: number;
  clientBytesPerDay: number;
}

interface Use {
  bodies: number;
  bytes: number;
}

const DAY_MS = 86_400_000;

export class Quotas {
  private readonly uses = new Map<string, Use>();
  private day = 0;

  constructor(
    private readonly limits: QuotaLimits,
    private readonly now: () => number,
  ) {}

  /**
   * Lets a body in, or throws {@link Problem} 429. `declared`: its bytes as far as they are known. The answer is to be
   * called with the bytes that came.
   */
  enter(client: Client | null, declared: number): (bytes: number) => void {
    if (client === null) return () => undefined;
    const use = this.useOf(client.name);
    const { clientBodies, clientBytesPerDay } = this.limits;
    if (use.bodies >= clientBodies) {
      throw refused(`this token is sending ${clientBodies} files already: wait until one of them is received`, 5);
    }
    if (use.bytes >= clientBytesPerDay || use.bytes + declared > clientBytesPerDay) {
      const seconds = Math.ceil((DAY_MS - (this.now() % DAY_MS)) / 1_000);
      throw refused(`this token may send ${clientBytesPerDay} bytes a day (UTC): send it tomorrow`, seconds);
    }
    use.bodies++;
    return (bytes) => {
      use.bodies--;
      use.bytes += bytes;
    };
  }

  private useOf(name: string): Use {
    const day = Math.floor(this.now() / DAY_MS);
    if (day !== this.day) for (const use of this.uses.values()) use.bytes = 0;
    this.day = day;
    const use = this.uses.get(name) ?? { bodies: 0, bytes: 0 };
    this.uses.set(name, use);
    return use;
  }
}

function refused(detail: string, seconds: number): Problem {
  return new Problem(429, 'quota_exceeded', detail, {}, { 'retry-after': String(seconds) });
}
