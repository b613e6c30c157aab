export function waitBeforeRestartMs(deathTimesMs: number[], nowMs: number): number | undefined;
