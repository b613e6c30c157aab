import { createLogger, kafkaLogger, nestLogger } from './logger.js';

interface Line {
  level: string;
  msg: string;
  [field: string]: unknown;
}

function open(level = 'info') {
  const texts: string[] = [];
  const logger = createLogger({ service: 'spec', level }, { write: (text: string) => void texts.push(text) });
  return { logger, texts, lines: () => texts.map((text) => JSON.parse(text) as Line) };
}

describe('createLogger', () => {
  it('writes one JSON object a line, with service, level, time and what is bound', () => {
    const { logger, lines } = open();
    logger.child({ run: '01X' }).info({ rows: 3 }, 'published');
    logger.debug('not this');
    expect(lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        service: 'spec',
        run: '01X',
        rows: 3,
        msg: 'published',
      },
    ]);
  });

  it('hides secrets and cells by their names, nested too', () => {
    const { logger, texts } = open();
    const secret = 'hunter2';
    logger.info(
      { password: secret, config: { redisUrl: secret, tokens: [secret] }, req: { headers: { authorization: secret } } },
      'x',
    );
    logger.info({ raw: secret, row: { cells: [secret] } }, 'x');
    expect(texts.join('')).not.toContain(secret);
    expect(texts.join('')).toContain('[hidden]');
  });

  it('tells an error with code, stack and causes, and nothing that hangs on it', () => {
    const { logger, texts, lines } = open();
    const cause = Object.assign(new Error('to redis://u:hunter2@h failed'), { command: { args: ['cell-of-a-file'] } });
    const error = Object.assign(new Error('away', { cause }), { code: 'redis_away', retriable: true });
    logger.error({ err: error }, 'no');
    expect(lines()[0]!.err).toMatchObject({
      type: 'Error',
      code: 'redis_away',
      retriable: true,
      message: 'away',
      stack: expect.stringContaining('logger.spec'),
      cause: { message: 'to redis://***@h failed' },
    });
    expect(texts.join('')).not.toMatch(/cell-of-a-file|hunter2/);
  });

  it('survives an error that is its own cause', () => {
    const { logger, lines } = open();
    const error = new Error('loop');
    error.cause = error;
    logger.error({ err: error }, 'no');
    expect(lines()).toHaveLength(1);
  });
});

describe('nestLogger', () => {
  it('carries context, stack and level', () => {
    const { logger, lines } = open('trace');
    const nest = nestLogger(logger);
    nest.log('mapped', 'Router');
    nest.error('broken', 'Error: broken\n at x', 'Handler');
    nest.warn({ a: 1 });
    nest.verbose?.('v', 'C');
    nest.fatal?.(new Error('end'), 'C');
    expect(lines().map(({ level, msg, context, stack }) => [level, msg, context, stack])).toEqual([
      ['info', 'mapped', 'Router', undefined],
      ['error', 'broken', 'Handler', 'Error: broken\n at x'],
      ['warn', '{"a":1}', undefined, undefined],
      ['trace', 'v', 'C', undefined],
      ['fatal', 'end', 'C', undefined],
    ]);
    expect(lines()[4]!.err).toMatchObject({ message: 'end' });
  });
});

describe('kafkaLogger', () => {
  it('takes the message first', () => {
    const { logger, lines } = open();
    kafkaLogger(logger).warn('slow', { broker: 1 });
    kafkaLogger(logger).debug('not this');
    expect(lines()).toEqual([expect.objectContaining({ level: 'warn', msg: 'slow', broker: 1, part: 'kafka' })]);
  });
});
