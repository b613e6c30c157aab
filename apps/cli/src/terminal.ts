// What a person (or a machine) sees of a command: results on stdout, everything on the way on stderr, colours and moving
// lines on a terminal only.

/** Where a command writes. `json`: results are JSON documents, one a line, and nothing else goes to stdout. */
export interface Terminal {
  readonly json: boolean;
  /** A line of the result. */
  print(text: string): void;
  /** The result as a document; with `--json` that alone is printed. */
  document(value: unknown): void;
  /** A line on the way: progress, a warning. Silent with `--json`. */
  tell(text: string): void;
  /** A line that moves while something takes long. Answers how to take it away. */
  progress(describe: () => string): () => void;
  readonly paint: Record<'red' | 'green' | 'yellow' | 'dim' | 'bold', (text: string) => string>;
}

const MOVE_MS = 200;
/** Off a terminal a moving line would fill a log: it is repeated so seldom that a log stays readable. */
const REPEAT_MS = 10_000;
const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

export function openTerminal(json: boolean): Terminal {
  const moves = process.stderr.isTTY === true;
  const colours = (stream: NodeJS.WriteStream) => stream.isTTY === true && !process.env.NO_COLOR;
  const tint = (code: number) => (text: string) =>
    colours(process.stdout) && colours(process.stderr) ? `\u001b[${code}m${text}\u001b[0m` : text;
  let moving = false;
  const clear = () => {
    if (moving) process.stderr.write('\r\u001b[K');
    moving = false;
  };
  const tell = (text: string) => {
    if (json) return;
    clear();
    process.stderr.write(`${text}\n`);
  };
  return {
    json,
    print(text) {
      if (json) return;
      clear();
      process.stdout.write(`${text}\n`);
    },
    document(value) {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    tell,
    progress(describe) {
      if (json) return () => undefined;
      const show = () => {
        if (!moves) return tell(describe());
        process.stderr.write(`\r\u001b[K${describe()}`);
        moving = true;
      };
      const timer = setInterval(show, moves ? MOVE_MS : REPEAT_MS);
      return () => {
        clearInterval(timer);
        clear();
      };
    },
    paint: {
      red: tint(CODES.red),
      green: tint(CODES.green),
      yellow: tint(CODES.yellow),
      dim: tint(CODES.dim),
      bold: tint(CODES.bold),
    },
  };
}

/** Rows of texts under a head, columns aligned, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]!.length)));
  const numeric = head.map((_, at) => rows.length > 0 && rows.every((row) => /^-?[\d.]*$/.test(row[at]!)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => (numeric[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `1.5 MB`: three digits at most. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `3 s`, `2 min 5 s`, `1 h 3 min`. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** `[#####-----] 50 %`. */
export function bar(share: number): string {
  const width = 20;
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}
