// Who may call: tokens as CAUDAL_TOKENS lists them. Only their hashes are kept, and a comparison takes the same time
// whatever it is compared with.
import { createHash, timingSafeEqual } from 'node:crypto';

export const SCOPES = ['upload', 'read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** One client: the name is for logs and quotas. */
export interface Client {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

export interface ClientToken extends Client {
  /** SHA-256 of the token. */
  readonly hash: Buffer;
}

const TOKEN_CHARACTERS_MIN = 32;
const NAME = /^[A-Za-z0-9._-]{1,60}$/;
// What an Authorization header may hold, without the comma that separates tokens.
const TOKEN = /^[\x21-\x2b\x2d-\x7e]+$/;

/**
 * Reads `name:scopes:token` entries, separated by commas or line ends. What is wrong is told by the entry's place and
 * name, never by its token: a list of problems instead of the clients.
 */
export function parseTokens(text: string): { clients: ClientToken[] } | { problems: string[] } {
  const entries = text
    .split(/[,\r\n]+/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const clients: ClientToken[] = [];
  const problems: string[] = [];
  for (const [i, entry] of entries.entries()) {
    const [name = '', scopes = '', ...rest] = entry.split(':');
    const token = rest.join(':');
    const problem = problemOf(name, scopes, token);
    if (problem !== null) problems.push(`entry ${i + 1} ${problem}`);
    else clients.push({ name, scopes: new Set(scopes.split('+') as Scope[]), hash: sha256(token) });
  }
  if (entries.length === 0) problems.push('names no token');
  for (const [i, { name, hash }] of clients.entries()) {
    const earlier = clients.slice(0, i);
    if (earlier.some((one) => one.name === name)) problems.push(`name "${name}" comes twice: each client has its own`);
    if (earlier.some((one) => one.hash.equals(hash))) problems.push(`"${name}" has the token of another client`);
  }
  return problems.length > 0 ? { problems } : { clients };
}

function problemOf(name: string, scopes: string, token: string): string | null {
  if (!NAME.test(name)) return 'must be name:scopes:token, with a name of 1 to 60 of A-Z a-z 0-9 . _ -';
  const unknown = scopes.split('+').some((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (unknown) return `("${name}") must have scopes out of ${SCOPES.join(', ')}, joined by +`;
  if (token.length < TOKEN_CHARACTERS_MIN) {
    return `("${name}") has a token of ${token.length} characters: at least ${TOKEN_CHARACTERS_MIN} are needed (openssl rand -hex 32 makes one)`;
  }
  if (!TOKEN.test(token)) return `("${name}") has a token with blanks or characters beyond ASCII`;
  return null;
}

/** The client that a token belongs to. Every hash is compared, so that the time taken tells nothing. */
export function clientOf(clients: readonly ClientToken[], token: string): Client | null {
  const hash = sha256(token);
  let found: Client | null = null;
  for (const client of clients) if (timingSafeEqual(client.hash, hash)) found = client;
  return found;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
