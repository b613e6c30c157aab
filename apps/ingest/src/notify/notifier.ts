// `notify`: a signed webhook when a run is completed, rejected or failed. Owed until it was delivered or given up, which the
// run keeps: a restart goes on with what is owed (at least once; the delivery id tells repeats). Runs never wait for it.
import type { Notify, Pipeline, StoredRun } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { publicRun } from '../runs/answer.js';
import type { RunStore } from '../runs/run-store.js';
import { Line } from '../uploads/line.js';
import { signatureOf } from './sign.js';

export interface NotifierOptions {
  pipelines: ReadonlyMap<string, Pipeline>;
  store: Pick<RunStore, 'get' | 'apply' | 'owingNotice'>;
  secret: string;
  now: () => number;
  /** Waits between two attempts; there is one attempt more than waits. */
  waitsMs?: readonly number[];
  stop: AbortSignal;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  onDelivery: (pipeline: string, outcome: 'delivered' | 'given_up') => void;
}

const WAITS_MS = [1_000, 5_000, 30_000, 120_000, 600_000];
const ANSWER_MS = 10_000;
const AT_ONCE = 16;

export class Notifier {
  private readonly line = new Line(AT_ONCE);
  private readonly sending = new Set<string>();

  constructor(private readonly options: NotifierOptions) {}

  /** Goes on with what is owed from before a restart. */
  start(): void {
    for (const run of this.options.store.owingNotice()) this.take(run);
  }

  /** To be told of every change of a run. */
  take(run: StoredRun): void {
    const owed = run.ended_at !== null && !run.notified && run.internal.notify_on?.includes(run.state);
    const notify = this.options.pipelines.get(run.pipeline)?.notify;
    if (!owed || !notify || this.sending.has(run.id)) return;
    this.sending.add(run.id);
    void this.deliver(run, notify).finally(() => {
      this.sending.delete(run.id);
      // Retried meanwhile, and ended again.
      const latest = this.options.store.get(run.id);
      if (latest && latest.attempt !== run.attempt) this.take(latest);
    });
  }

  /** Never rejects. */
  private async deliver(run: StoredRun, notify: Notify): Promise<void> {
    const { stop, store, now, log, onDelivery } = this.options;
    const waits = this.options.waitsMs ?? WAITS_MS;
    const about = { run: run.id, pipeline: run.pipeline };
    for (let attempt = 1; !stop.aborted; attempt++) {
      const message = await this.attempt(run, notify);
      const delivered = message === null;
      if (stop.aborted && !delivered) return;
      if (delivered || attempt > waits.length) {
        if (delivered) log.info(about, 'notice delivered');
        else log.warn({ ...about, attempts: attempt, reason: message }, 'a notice could not be delivered: given up');
        onDelivery(run.pipeline, delivered ? 'delivered' : 'given_up');
        const event = { type: 'notified', delivered, attempts: attempt, message, at: now() } as const;
        // Retried or deleted meanwhile: this notice is of an end that is no more.
        if (store.get(run.id)?.attempt === run.attempt) await store.apply(run.id, event).catch(() => undefined);
        return;
      }
      log.warn({ ...about, attempt, reason: message }, 'a notice was not delivered; it is tried again');
      await sleep(waits[attempt - 1], undefined, { signal: stop }).catch(() => undefined);
    }
  }

  /** One request; null when it was taken, else why not, without the address (it may hold a secret). */
  private async attempt(run: StoredRun, { url }: Notify): Promise<string | null> {
    await this.line.enter();
    try {
      const { body, headers } = this.request(run);
      const signal = AbortSignal.any([this.options.stop, AbortSignal.timeout(ANSWER_MS)]);
      const answer = await fetch(url, { method: 'POST', body, headers, redirect: 'manual', signal });
      await answer.body?.cancel();
      if (answer.ok) return null;
      if (answer.status >= 300 && answer.status < 400) return `answered ${answer.status}: redirects are not followed`;
      return `answered ${answer.status}`;
    } catch (error) {
      const { name, cause } = error as Error & { cause?: { code?: string } };
      if (name === 'TimeoutError') return `no answer within ${ANSWER_MS / 1_000} s`;
      return `not reached (${cause?.code ?? name})`;
    } finally {
      this.line.leave();
    }
  }

  private request(run: StoredRun): { body: string; headers: Record<string, string> } {
    const id = `${run.id}.${run.state}.${run.attempt}`;
    const body = JSON.stringify({ id, event: `run.${run.state}`, pipeline: run.pipeline, run: publicRun(run) });
    const timestamp = Math.floor(this.options.now() / 1_000);
    return {
      body,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'caudal',
        'x-caudal-delivery': id,
        'x-caudal-timestamp': String(timestamp),
        'x-caudal-signature': signatureOf(this.options.secret, timestamp, body),
      },
    };
  }
}
