export function containerName(stateDir: string, store: 'kafka' | 'redis'): string;
export function runArguments(options: {
  store: 'kafka' | 'redis';
  name: string;
  image: string;
  port: number;
  inside: number;
  settings?: Record<string, string | number>;
  command?: string[];
  keep: boolean;
}): string[];
