/** A Kafka of one's own: `kill` is SIGKILL; `restart` starts it on the same data and port, stopping it first if needed. */
export interface OwnKafka {
  readonly brokers: string;
  readonly pid: number;
  readonly exited: Promise<{ code: number | null; signal: string | null; problem?: Error }>;
  lastLines(): string[];
  stop(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
}
export function startKafka(options: {
  stateDir: string;
  port: number;
  controllerPort: number;
  say?: (text: string) => void;
  env?: NodeJS.ProcessEnv;
  logFile?: string;
  /** Further lines of server.properties, over the usual ones. */
  more?: Record<string, string | number>;
}): Promise<OwnKafka>;
export function kafkaClassPath(options: { env?: NodeJS.ProcessEnv; say?: (text: string) => void }): Promise<string>;
export function kafkaProperties(options: {
  port: number;
  controllerPort: number;
  logDir: string;
  more?: Record<string, string | number>;
}): string;
export function speaksKafka(port: number, limitMs?: number): Promise<boolean>;
