// The HEALTHCHECK of the image: asks the service in its own container whether it is ready. Prints the answer, which
// holds the reasons; `docker inspect` shows it. Node built-ins only: it runs every few seconds and must start quickly.
const { env } = process;
const port = {
  ingest: env.CAUDAL_PORT || 8080,
  aggregator: env.CAUDAL_AGGREGATOR_PORT || 8090,
  'feature-writer': env.CAUDAL_WRITER_PORT || 8091,
}[env.SERVICE];

try {
  const answer = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(3500) });
  process.stdout.write(`${await answer.text()}\n`);
  process.exitCode = answer.ok ? 0 : 1;
} catch (cause) {
  process.stdout.write(`${env.SERVICE} does not answer on port ${port}: ${cause.cause?.message ?? cause.message}\n`);
  process.exitCode = 1;
}
