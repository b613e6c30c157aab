// The HTTP side that each service opens in the same way: time limits, a cap on connections, headers, and the guard.
// Services add their own routes to it.
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { isLoopback, type ServiceConfig } from './config.js';
import { guardRequests } from './guard.js';
import { PROBLEM_TYPE, problemText } from './problem-document.js';

const HEADERS_MS = 15_000;
const CHECK_MS = 5_000;
const KEEP_ALIVE_MS = 65_000;
/** Longer than the longest `wait` (300 s), during which nothing passes over a connection. */
const IDLE_MS = 360_000;
const BODY_GRACE_MS = 60_000;

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
    routerOptions: { maxParamLength: 300 },
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: CHECK_MS },
    clientErrorHandler: answerBrokenRequest,
  } as FastifyServerOptions;
}

export const httpAdapter = (config: ServiceConfig): FastifyAdapter => new FastifyAdapter(httpOptions(config.limits));

/** Puts headers and guard before every route. To be called before the application is initialised. */
export async function secure(app: NestFastifyApplication, config: ServiceConfig, logger: Logger): Promise<void> {
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
