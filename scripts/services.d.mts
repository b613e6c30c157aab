export function briefLine(name: string, line: string): string | undefined;
