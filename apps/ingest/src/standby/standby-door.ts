// The door of a standby: health and metrics answer, everything else says that another ingest is active. The guard stands
// before it as before the real one.
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import {
  discardRest,
  httpOptions,
  PROBLEM_TYPE,
  problemText,
  secureServer,
  type IngestMetrics,
  type Logger,
  type ServiceConfig,
} from '#runtime';

const RETRY_AFTER_SECONDS = '5';
/** What may be called with less than `admin`: the guard goes by routes. */
const SENDING = ['/v1/pipelines/:pipeline/uploads', '/v1/runs'];

/** Listens; to be closed before the active ingest's own door opens. */
export async function openStandbyDoor(
  config: ServiceConfig,
  metrics: IngestMetrics,
  logger: Logger,
): Promise<FastifyInstance> {
  const server = fastify(httpOptions(config.limits)) as unknown as FastifyInstance;
  await secureServer(server, config, logger);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  server.get('/health/live', () => ({ status: 'ok' }));
  server.get('/health/ready', (_request, reply) =>
    reply.status(503).send({ status: 'unavailable', reasons: ['standby'] }),
  );
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  for (const route of SENDING) server.post(route, answerStandby);
  server.setNotFoundHandler(answerStandby);
  await server.listen({ port: config.port, host: config.host });
  return server;
}

function answerStandby(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  discardRest(request.raw);
  const detail = 'another ingest is active and this one stands by: ask that one, or try again soon';
  return reply
    .status(503)
    .header('retry-after', RETRY_AFTER_SECONDS)
    .type(PROBLEM_TYPE)
    .send(problemText({ status: 503, code: 'standby', detail }));
}
