export interface Death {
  timeMs: number;
  code: number | null;
  signal: string | null;
}
export function waitBeforeRestartMs(deaths: Death[], nowMs: number): number | undefined;
export function keepRunning(options: {
  name: string;
  program: {
    pid: number;
    exited: Promise<{ code: number | null; signal: string | null }>;
    lastLines(): string[];
    restart(): Promise<void>;
  };
  say: (line: string) => void;
}): Promise<never>;
