export function originOf(host: string, port: number): string;
export function briefLine(name: string, line: string): string | undefined;
export function briefReasons(reasons: unknown): string | undefined;
export function whyHalted(reasons: unknown): string[];
