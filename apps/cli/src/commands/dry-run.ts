import type { Terminal } from '../terminal.js';
export async function dryRun(_terminal: Terminal, _file: string, _pipeline: string): Promise<void> {}
