// The HTTP side that each service opens in the same way: time limits, a cap on connections, headers, and the guard.
// Services add their own routes to it.
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { isLoopback, type ServiceConfig } from './config.js';
import { guardRequests } from './guard.js';
import { NotFoundFilter } from './not-found.filter.js';
import { discardRest, PROBLEM_TYPE, problemText, type ProblemDocument } from './problem-document.js';

const HEADERS_MS = 15_000;
const CHECK_MS = 5_000;
const KEEP_ALIVE_MS = 65_000;
/** Longer than the longest `wait` (300 s), during which nothing passes over a connection. */
const IDLE_MS = 360_000;
const BODY_GRACE_MS = 60_000;
const MAX_PARAMETER = 16 * 1024;

/**
 * Fastify's options with every time limit set. Bodies have limits of their own (`bodyMs` and a minimum of bytes per
 * second); here is what holds when those fail.
 */
export function httpOptions(limits: Pick<ServiceConfig['limits'], 'bodyMs'>): FastifyServerOptions {
  return {
    requestTimeout: limits.bodyMs + BODY_GRACE_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionTimeout: IDLE_MS,
    forceCloseConnections: 'idle',
    // As long as headers may be: an id that is too long for any run is unknown, like every other that nobody has.
    routerOptions: { maxParamLength: MAX_PARAMETER },
    frameworkErrors: answerBadAddress,
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: CHECK_MS },
    clientErrorHandler: answerBrokenRequest,
  } as FastifyServerOptions;
}

export const httpAdapter = (config: ServiceConfig): FastifyAdapter => new FastifyAdapter(httpOptions(config.limits));

/** Puts headers and guard before every route, and an answer behind them. To be called before the application is initialised. */
export async function secure(app: NestFastifyApplication, config: ServiceConfig, logger: Logger): Promise<void> {
  app.useGlobalFilters(new NotFoundFilter());
  await secureServer(app.getHttpAdapter().getInstance() as unknown as FastifyInstance, config, logger);
}

/** The same for a server without Nest. */
export async function secureServer(fastify: FastifyInstance, config: ServiceConfig, logger: Logger): Promise<void> {
  const { clients, limits, host } = config;
  (fastify.server as Server).maxConnections = limits.connections;
  // An answer of an API is a page of nothing: it may load, embed and send nothing.
  await fastify.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] },
    },
    // Whether it is reached by TLS is for what stands in front of it to say.
    strictTransportSecurity: false,
  });
  refuseRepeated(fastify);
  if (clients !== null) {
    await fastify.register(rateLimit, { global: false });
    guardRequests(fastify, { clients, requestsPerMinute: limits.clientRequestsPerMinute });
  } else if (!isLoopback(host)) {
    logger.warn(
      { host },
      'CAUDAL_ALLOW_OPEN=yes: everybody who reaches this port may use it, nobody is asked for a token',
    );
  }
}

/** An address that cannot be decoded: the router gives up on it before any hook or route. */
function answerBadAddress(error: { statusCode?: number }, request: FastifyRequest, reply: FastifyReply): void {
  const detail = 'the address cannot be read: % must be followed by two hexadecimal digits, of UTF-8';
  refuse(request, reply, { status: error.statusCode ?? 400, code: 'bad_address', detail });
}

const ONCE = ['host', 'content-type'];

/**
 * Of a header that comes twice Node takes the first. What stands before us may take the second: then the two would
 * speak of different requests.
 */
function refuseRepeated(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', async (request, reply) => {
    const names = request.raw.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    const name = ONCE.find((one) => names.indexOf(one) !== names.lastIndexOf(one));
    if (name === undefined) return undefined;
    return refuse(request, reply, { status: 400, code: 'repeated_header', detail: `send the header ${name} once` });
  });
}

function refuse(request: FastifyRequest, reply: FastifyReply, problem: ProblemDocument): FastifyReply {
  discardRest(request.raw);
  return reply.status(problem.status).type(PROBLEM_TYPE).send(problemText(problem));
}

/** What Node could not read as a request. A connection that has an answer under way is only closed. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  const hasAnswer =
    (socket as Socket & { _httpMessage?: { _headerSent?: boolean } })._httpMessage?._headerSent === true;
  if (error.code === 'ECONNRESET' || !socket.writable || hasAnswer) {
    socket.destroy();
    return;
  }
  const [status, reason, code, detail] = brokenAnswer(error.code);
  const body = problemText({ status, code, detail });
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function brokenAnswer(code: string | undefined): [number, string, string, string] {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return [431, 'Request Header Fields Too Large', 'headers_too_large', 'the headers are too large: send fewer'];
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return [408, 'Request Timeout', 'too_slow', 'the request did not arrive in time: send it again'];
  }
  return [400, 'Bad Request', 'bad_request', 'this is not an HTTP request that can be read'];
}
