// The signature of a notice: HMAC-SHA256 over `<timestamp>.<body>`, so that neither can be changed nor an old one replayed.
import { createHmac } from 'node:crypto';

/** `sha256=<hex>` for a body sent at `timestampSeconds` (epoch). */
export function signatureOf(secret: string, timestampSeconds: number, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(`${timestampSeconds}.${body}`).digest('hex')}`;
}
