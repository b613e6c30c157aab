export function serviceArgs(root: string, name: string): string[];
