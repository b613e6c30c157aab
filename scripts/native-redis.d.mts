/** A Redis of one's own: `kill` is SIGKILL; `restart` starts it on the same data and port, stopping it first if needed. */
export interface OwnRedis {
  readonly url: string;
  readonly pid: number;
  readonly exited: Promise<{ code: number | null; signal: string | null; problem?: Error }>;
  lastLines(): string[];
  stop(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
}
export function startRedis(options: {
  stateDir: string;
  port: number;
  say?: (text: string) => void;
  env?: NodeJS.ProcessEnv;
  logFile?: string;
}): Promise<OwnRedis>;
export function redisVersion(text: string): [number, number] | undefined;
export function isNewEnough(version: [number, number]): boolean;
