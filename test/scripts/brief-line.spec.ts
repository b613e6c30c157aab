// What the terminal shows of the services' JSON logs: warnings and errors, in a few words.
import { briefLine } from '../../scripts/services.mjs';

describe('briefLine', () => {
  const line = (entry: object): string | undefined => briefLine('ingest', JSON.stringify(entry));

  it('shows warnings and errors with their cause', () => {
    expect(line({ level: 'warn', msg: 'writing runs failed', err: { message: 'Kafka is away' } })).toBe(
      'ingest WARN writing runs failed: Kafka is away',
    );
    expect(line({ level: 'error', msg: 'x' })).toBe('ingest ERROR x');
    expect(line({ level: 'fatal', msg: 'x', err: { message: 'x' } })).toBe('ingest FATAL x');
  });

  it('keeps the rest in the file', () => {
    expect(line({ level: 'info', msg: 'ready' })).toBeUndefined();
    expect(briefLine('ingest', '')).toBeUndefined();
  });

  it('shows what is not of the logger, such as a crash of Node itself', () => {
    expect(briefLine('ingest', 'FATAL ERROR: heap out of memory')).toBe('ingest FATAL ERROR: heap out of memory');
  });
});
