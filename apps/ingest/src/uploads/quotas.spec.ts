import type { Client } from '#runtime';
import { Quotas } from './quotas.js';

const client = (name: string): Client => ({ name, scopes: new Set(['upload']) });
const DAY_MS = 86_400_000;
const refusal = { status: 429, code: 'quota_exceeded' };

describe('Quotas', () => {
  let now = 3 * DAY_MS;
  const quotas = () => new Quotas({ clientBodies: 2, clientBytesPerDay: 1_000 }, () => now);
  beforeEach(() => (now = 3 * DAY_MS));

  it('counts the bodies of each client', () => {
    const all = quotas();
    const leave = all.enter(client('a'), 0);
    all.enter(client('a'), 0);
    expect(() => all.enter(client('a'), 0)).toThrow(expect.objectContaining(refusal));
    all.enter(client('b'), 0);
    leave(1);
    all.enter(client('a'), 0);
  });

  it('counts the bytes of a UTC day, and says when it ends', () => {
    const all = quotas();
    now += DAY_MS - 90_000;
    expect(() => all.enter(client('a'), 1_001)).toThrow(expect.objectContaining(refusal));
    all.enter(client('a'), 1_000)(1_000);
    const retry = { headers: { 'retry-after': '90' } };
    expect(() => all.enter(client('a'), 0)).toThrow(expect.objectContaining(retry));
    now += 90_000;
    all.enter(client('a'), 1_000);
  });

  it('has none for nobody', () => {
    const all = quotas();
    for (let n = 0; n < 5; n++) all.enter(null, 1e9);
  });
});
