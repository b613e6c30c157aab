// The guard at the door of each service: who calls, and may they? Asked for every request, unknown addresses too, before
// a byte of a body is read. Without tokens there is no guard.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { discardRest, PROBLEM_TYPE, problemText } from './problem-document.js';
import { clientOf, type Client, type ClientToken, type Scope } from './tokens.js';

const callers = new WeakMap<FastifyRequest, Client>();

/** Who made a request; null where nobody is asked. */
export function callerOf(request: FastifyRequest): Client | null {
  return callers.get(request) ?? null;
}

export interface GuardOptions {
  readonly clients: readonly ClientToken[];
  readonly requestsPerMinute: number;
}

/** Needs `@fastify/rate-limit` registered before. */
export function guardRequests(fastify: FastifyInstance, { clients, requestsPerMinute }: GuardOptions): void {
  const rateOf = fastify.createRateLimit({
    max: requestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: (request) => callerOf(request)!.name,
  });
  fastify.addHook('onRequest', async (request, reply) => {
    if (isOpen(request)) return undefined;
    const token = bearerOf(request);
    const client = token === null ? null : clientOf(clients, token);
    if (client === null) return refuse(request, reply, unauthorized(token !== null));
    callers.set(request, client);
    const scope = scopeOf(request);
    if (!client.scopes.has(scope)) return refuse(request, reply, forbidden(scope));
    const rate = await rateOf(request);
    if (!rate.isAllowed && rate.isExceeded) return refuse(request, reply, tooMany(rate.ttlInSeconds));
    return undefined;
  });
}

/** Whoever watches over the process must see it without a token. */
function isOpen(request: FastifyRequest): boolean {
  return request.routeOptions.url === '/health/live' || request.routeOptions.url === '/health/ready';
}

const UPLOADING = new Set(['/v1/pipelines/:pipeline/uploads', '/v1/runs']);

/**
 * What a request needs: reading `read`, sending files `upload`, everything else (also what is not known here) `admin`.
 * Decided by the route that was found, so that no spelling of an address leads around it.
 */
function scopeOf(request: FastifyRequest): Scope {
  if (request.method === 'GET' || request.method === 'HEAD') return 'read';
  const again = (request.query as Record<string, unknown> | undefined)?.again;
  const isUpload = request.method === 'POST' && UPLOADING.has(request.routeOptions.url ?? '');
  return isUpload && (again === undefined || again === 'false') ? 'upload' : 'admin';
}

/** Of two, what stands before us may have looked at the other one: neither counts. */
function bearerOf(request: FastifyRequest): string | null {
  const [authorization, ...others] = request.raw.headersDistinct.authorization ?? [];
  if (others.length > 0) return null;
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? null;
}

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
}

const REALM = 'Bearer realm="caudal"';

function unauthorized(hasToken: boolean): Refusal {
  return {
    status: 401,
    code: 'unauthorized',
    detail: hasToken ? 'this token is not known here' : 'send the header "Authorization: Bearer TOKEN"',
    headers: { 'www-authenticate': hasToken ? `${REALM}, error="invalid_token"` : REALM },
  };
}

function forbidden(scope: Scope): Refusal {
  return {
    status: 403,
    code: 'forbidden',
    detail: `this needs a token with the scope "${scope}"`,
    headers: { 'www-authenticate': `${REALM}, error="insufficient_scope", scope="${scope}"` },
  };
}

function tooMany(seconds: number): Refusal {
  return {
    status: 429,
    code: 'too_many_requests',
    detail: 'this token has made too many requests: try again later',
    headers: { 'retry-after': String(Math.max(1, seconds)) },
  };
}

async function refuse(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): Promise<FastifyReply> {
  discardRest(request.raw);
  return reply.status(refusal.status).headers(refusal.headers).type(PROBLEM_TYPE).send(problemText(refusal));
}
