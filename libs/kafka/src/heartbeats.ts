// Heartbeats while a handler works: kafkajs sends them only between batches, and a long step would cost the membership.

/**
 * Calls `heartbeat` every `intervalMs` until `stop`, which throws the first error as it is: kafkajs' runner keys on it
 * (a rebalance, a lost membership).
 */
export function beatWhile(heartbeat: () => Promise<void>, intervalMs: number): { stop(): Promise<void> } {
  let failure: { error: unknown } | null = null;
  let running: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    if (failure !== null) return;
    running = heartbeat().catch((error: unknown) => {
      failure ??= { error };
    });
  }, intervalMs);
  return {
    stop: async () => {
      clearInterval(timer);
      await running;
      if (failure !== null) throw failure.error;
    },
  };
}
