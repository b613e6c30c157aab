export function downloadedBytes(line: string): number;
