import type { Pipeline } from '#contracts';
import { InboxFolder } from './folder.js';
import { Inbox, type InboxOptions } from './inbox.js';

/** Runs an inbox of which each look ends with one of these error codes (null: it is well); answers its warnings. */
async function warningsOf(codes: (string | null)[]): Promise<string[]> {
  const warnings: string[] = [];
  const stop = new AbortController();
  const folder = new InboxFolder('/nowhere');
  const looks = codes.values();
  folder.prepare = async () => {
    const { value, done } = looks.next();
    if (done) stop.abort();
    else if (value !== null) throw Object.assign(new Error('it is not to be'), { code: value });
  };
  folder.list = async () => [];
  const log = { info: () => undefined, warn: (_fields: object, message: string) => void warnings.push(message) };
  const options = { pipeline: { name: 'vendas' } as Pipeline, folder, lookMs: 1, stop: stop.signal, log };
  await new Inbox(options as unknown as InboxOptions).run();
  return warnings;
}

describe('an inbox that cannot be read or written', () => {
  it('is told of once, however often it is looked at; once more when it was well meanwhile, or the reason changes', async () => {
    expect(await warningsOf(['EACCES', 'EACCES', 'EACCES'])).toEqual([
      expect.stringContaining('look at the permissions'),
    ]);
    expect(await warningsOf(['EACCES', 'EROFS', 'EROFS', null, 'EROFS'])).toHaveLength(3);
  });
});
