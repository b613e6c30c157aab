import { Line } from './line.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('Line', () => {
  it('lets in as many as it has places, the others in their order', async () => {
    const line = new Line(2);
    const entered: number[] = [];
    const enter = (n: number) => line.enter().then(() => entered.push(n));
    await Promise.all([enter(1), enter(2)]);
    const rest = [enter(3), enter(4)];
    await settle();
    expect(entered).toEqual([1, 2]);
    line.leave();
    await settle();
    expect(entered).toEqual([1, 2, 3]);
    line.leave();
    await Promise.all(rest);
    expect(entered).toEqual([1, 2, 3, 4]);
  });

  it('gives the place away while somebody waits outside, and takes it back', async () => {
    const line = new Line(1);
    await line.enter();
    let wake = (): void => undefined;
    const outside = line.outside(() => new Promise<void>((resolve) => (wake = resolve)));
    await line.enter();
    wake();
    let back = false;
    void outside.then(() => (back = true));
    await settle();
    expect(back).toBe(false);
    line.leave();
    await outside;
    expect(back).toBe(true);
  });

  it('takes the place back after a failed wait, too', async () => {
    const line = new Line(1);
    await line.enter();
    await expect(line.outside(() => Promise.reject(new Error('cut')))).rejects.toThrow('cut');
    let entered = false;
    void line.enter().then(() => (entered = true));
    await settle();
    expect(entered).toBe(false);
    line.leave();
    await settle();
    expect(entered).toBe(true);
  });
});
