// What is told of a run while it is under way, beside the run itself: its log lines and how far its check has come. In
// memory, of the runs that were spoken of last; what must last is in the run.

import { redact } from '#runtime';

export interface JournalLine {
  /** Rises by one with every line of the run. */
  number: number;
  /** ISO 8601 UTC. */
  at: string;
  level: 'info' | 'warn' | 'error';
  message: string;
}

/** What the check has read so far. */
export interface Checked {
  bytes: number;
  rows: number;
}

interface Entry {
  lines: JournalLine[];
  written: number;
  checked: Checked;
  listeners: Set<() => void>;
}

const RUNS_MAX = 500;
const LINES_MAX = 200;
const NOTHING: Checked = { bytes: 0, rows: 0 };

type Log = Record<JournalLine['level'], (fields: object, message: string) => void>;

export class RunJournal {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly now: () => number) {}

  /** A log that also keeps the lines of runs (those whose fields name one). */
  keeping(log: Log): Log {
    const keep = (level: JournalLine['level']) => (fields: object, message: string) => {
      log[level](fields, message);
      const { run, err } = fields as { run?: string; err?: unknown };
      const reason = err instanceof Error ? `: ${redact(err.message)}` : '';
      if (run !== undefined) this.write(run, level, `${message}${reason}`);
    };
    return { info: keep('info'), warn: keep('warn'), error: keep('error') };
  }

  linesAfter(run: string, number: number): JournalLine[] {
    return (this.entries.get(run)?.lines ?? []).filter((line) => line.number > number);
  }

  checkedOf(run: string): Checked {
    return this.entries.get(run)?.checked ?? NOTHING;
  }

  checking(run: string, checked: Checked): void {
    this.entryOf(run).checked = checked;
  }

  /** Calls back after each line of the run until the returned function is called. */
  onLine(run: string, listener: () => void): () => void {
    const { listeners } = this.entryOf(run);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  private write(run: string, level: JournalLine['level'], message: string): void {
    const entry = this.entryOf(run);
    entry.lines.push({ number: ++entry.written, at: new Date(this.now()).toISOString(), level, message });
    if (entry.lines.length > LINES_MAX) entry.lines.shift();
    for (const listener of entry.listeners) listener();
  }

  private entryOf(run: string): Entry {
    const entry = this.entries.get(run) ?? { lines: [], written: 0, checked: NOTHING, listeners: new Set() };
    // The run that was spoken of longest ago goes first.
    this.entries.delete(run);
    this.entries.set(run, entry);
    if (this.entries.size > RUNS_MAX) this.entries.delete(this.entries.keys().next().value!);
    return entry;
  }
}
