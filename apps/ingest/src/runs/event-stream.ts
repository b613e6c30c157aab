// One client that watches one run: server-sent events. All of them are made from what is known now and what was sent last,
// so a client that reads slowly misses steps in between, never the end, and costs no memory.
import { ENDED_STATES, type StoredRun } from '#contracts';
import type { ServerResponse } from 'node:http';
import { publicRun } from './answer.js';
import { progressOf } from './progress.js';
import type { RunJournal } from './run-journal.js';
import type { RunStore } from './run-store.js';

const PROGRESS_MS = 500;
const HEARTBEAT_MS = 15_000;
/** A client that takes nothing for so long is let go. */
const BLOCKED_MS = 60_000;

export interface EventStreamOptions {
  run: string;
  /** Lines up to this number are known to the client. */
  lastLine: number;
  /** Begins the ids of events: those of another life of the process mean nothing here. */
  life: string;
  store: Pick<RunStore, 'get' | 'onChanged'>;
  journal: RunJournal;
  stop: AbortSignal;
}

export class EventStream {
  private readonly sentSteps = new Map<string, string>();
  private sentProgress = '';
  private lastLine: number;
  private speed = { state: '', rows: 0, sinceMs: 0 };
  private blockedSince: number | null = null;
  private isDue = false;
  private closers: (() => void)[] = [];

  constructor(
    private readonly out: ServerResponse,
    private readonly options: EventStreamOptions,
  ) {
    this.lastLine = options.lastLine;
  }

  /** Sends what is known, then what comes; ends with the run, the client or the service. */
  begin(onEnd: () => void): void {
    const { run, store, journal, stop } = this.options;
    const end = () => this.end();
    const due = () => this.due();
    const progress = setInterval(() => this.tick(), PROGRESS_MS);
    const heartbeat = setInterval(() => this.write(': still here\n\n'), HEARTBEAT_MS);
    stop.addEventListener('abort', end, { once: true });
    this.out.on('drain', due);
    this.closers = [
      store.onChanged(run, due),
      journal.onLine(run, due),
      () => clearInterval(progress),
      () => clearInterval(heartbeat),
      () => stop.removeEventListener('abort', end),
      onEnd,
    ];
    this.out.once('close', () => this.close());
    const known = store.get(run);
    if (known) this.send('run', publicRun(known));
    this.catchUp();
  }

  /** Changes that come together are told together. */
  private due(): void {
    if (this.isDue) return;
    this.isDue = true;
    setImmediate(() => {
      this.isDue = false;
      this.catchUp();
    });
  }

  private tick(): void {
    if (this.blockedSince !== null && performance.now() - this.blockedSince > BLOCKED_MS) {
      this.out.destroy();
      return;
    }
    this.catchUp();
  }

  private catchUp(): void {
    const { run: id, store, journal, life } = this.options;
    if (!this.isOpen()) return;
    const run = store.get(id);
    for (const line of journal.linesAfter(id, this.lastLine)) {
      if (!this.isOpen()) return;
      this.lastLine = line.number;
      const { at, level, message } = line;
      this.send('log', { at, level, message }, `${life}-${line.number}`);
    }
    if (!run) return this.finish({ state: null });
    this.sendSteps(run);
    this.sendProgress(run);
    if (!ENDED_STATES.has(run.state)) return;
    this.send('run', publicRun(run));
    this.finish({ state: run.state });
  }

  private sendSteps(run: StoredRun): void {
    for (const step of run.steps) {
      const text = JSON.stringify(step);
      if (this.sentSteps.get(step.name) === text) continue;
      this.sentSteps.set(step.name, text);
      this.send('step', step);
    }
  }

  private sendProgress(run: StoredRun): void {
    const progress = progressOf(run, this.options.journal.checkedOf(run.id));
    const now = performance.now();
    const { speed } = this;
    if (speed.state !== run.state) this.speed = { state: run.state, rows: progress.rows, sinceMs: now };
    const text = JSON.stringify(progress);
    if (text === this.sentProgress) return;
    this.sentProgress = text;
    const seconds = (now - this.speed.sinceMs) / 1_000;
    const perSecond = seconds > 0 ? Math.max(0, Math.round((progress.rows - this.speed.rows) / seconds)) : null;
    this.send('progress', { ...progress, rows_per_second: perSecond });
  }

  private finish(end: { state: string | null }): void {
    this.send('end', end);
    this.end();
  }

  private isOpen(): boolean {
    return this.closers.length > 0 && !this.out.writableEnded && !this.out.destroyed && !this.isBlocked();
  }

  private isBlocked(): boolean {
    if (!this.out.writableNeedDrain) this.blockedSince = null;
    else this.blockedSince ??= performance.now();
    return this.blockedSince !== null;
  }

  private send(event: string, data: object, id?: string): void {
    this.write(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
  }

  private write(text: string): void {
    if (!this.out.writableEnded && !this.out.destroyed) this.out.write(text);
  }

  private end(): void {
    if (!this.out.writableEnded) this.out.end();
    this.close();
  }

  private close(): void {
    for (const closer of this.closers.splice(0)) closer();
  }
}
