// Text tables for the terminal.

/** Rows of texts under a head, columns aligned, numbers to the right. Pure. */
export function table(head, rows) {
  const widths = head.map((name, column) =>
    Math.max(...[name, ...rows.map((row) => row[column])].map((cell) => cell.length)),
  );
  const isNumber = head.map((_, column) => rows.length > 0 && rows.every((row) => /^-?[\d.]+$/.test(row[column])));
  const line = (row) =>
    row
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
