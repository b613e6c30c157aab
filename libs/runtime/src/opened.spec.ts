// What is opened is closed in reverse, whatever fails.
import { Opened } from './opened.js';

describe('Opened', () => {
  it('closes in reverse, once, although one fails', async () => {
    const closed: number[] = [];
    const opened = new Opened();
    opened.add(() => closed.push(1));
    opened.add(() => Promise.reject(new Error('two')));
    opened.add(async () => void closed.push(3));
    await expect(opened.close()).rejects.toThrow('two');
    await opened.close();
    expect(closed).toEqual([3, 1]);
  });

  it('closes what a failed start has opened, and tells why the start failed', async () => {
    const closed: string[] = [];
    const start = Opened.by(async (opened) => {
      opened.add(() => closed.push('client'));
      opened.add(() => Promise.reject(new Error('close')));
      throw new Error('start');
    });
    await expect(start).rejects.toThrow('start');
    expect(closed).toEqual(['client']);
  });

  it('closes nothing while the start succeeds', async () => {
    const closed: string[] = [];
    const opened = await Opened.by(async (opened) => {
      opened.add(() => closed.push('client'));
      return opened;
    });
    expect(closed).toEqual([]);
    await opened.close();
    expect(closed).toEqual(['client']);
  });
});
