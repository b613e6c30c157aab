// What the person at the terminal sees of the scripts: plain lines, colours and moving lines on a terminal only.
const onTerminal = process.stdout.isTTY === true && !process.env.NO_COLOR;
const everyMs = 5000;

// A closed pipe (`npm start | head`) must not end the starter: it has processes to stop.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

const paint = (code) => (text) => (onTerminal ? `\u001b[${code}m${text}\u001b[0m` : text);
export const bold = paint('1');
export const dim = paint('2');
export const red = paint('31');
export const green = paint('32');
export const yellow = paint('33');

let movingLine = false;
let out = process.stdout;

/** From now on stdout is for a machine: what a person is told goes to stderr. */
export function sayOnStderr() {
  out = process.stderr;
}

/** One line (or several) to the terminal. */
export function say(text) {
  if (movingLine) out.write('\r\u001b[K');
  movingLine = false;
  out.write(`${text}\n`);
}

/**
 * A line that moves while something takes long: rewritten in place on a terminal, else repeated every 5 s.
 * `describe()` gives its text; `end(text)` replaces it.
 */
export function startProgress(describe) {
  const startedMs = performance.now();
  const line = () => `${describe()} (${Math.round((performance.now() - startedMs) / 1000)} s)`;
  const show = () => {
    if (!onTerminal) return say(line());
    out.write(`\r\u001b[K${line()}`);
    movingLine = true;
  };
  const timer = setInterval(show, onTerminal ? 250 : everyMs);
  timer.unref();
  return {
    end(text) {
      clearInterval(timer);
      if (text) say(`${text} (${Math.round((performance.now() - startedMs) / 1000)} s)`);
    },
  };
}
