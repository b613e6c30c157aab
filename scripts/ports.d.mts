export function freePort(): Promise<number>;
export function parsePort(variable: string, text: string): number;
export function isFree(host: string, port: number): Promise<boolean>;
export function takePort(options: {
  name: string;
  variable?: string;
  usual: number;
  host?: string;
  env: Record<string, string | undefined>;
  cacheDir: string;
  say: (text: string) => void;
}): Promise<number>;
