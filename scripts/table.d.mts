export function table(head: string[], rows: string[][]): string;
