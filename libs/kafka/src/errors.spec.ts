// Classifying what kafkajs throws: fenced, refused, away, or something else that may pass.
import { isFenced, KafkaError, toKafkaError } from './errors.js';

const thrown = (fields: object, cause?: unknown): Error => Object.assign(new Error('boom', { cause }), fields);

describe('toKafkaError', () => {
  it.each([
    ['fenced', true, { name: 'KafkaJSProtocolError', type: 'INVALID_PRODUCER_EPOCH', retriable: false }],
    ['message_too_large', false, { type: 'MESSAGE_TOO_LARGE', retriable: false }],
    ['invalid_record', false, { type: 'INVALID_RECORD', retriable: false }],
    ['kafka_unavailable', true, { name: 'KafkaJSConnectionError', retriable: true }],
    ['kafka_unavailable', true, { name: 'KafkaJSConnectionError', code: 'ECONNREFUSED' }],
    ['kafka_unavailable', true, { name: 'KafkaJSRequestTimeoutError' }],
    ['rebalance_in_progress', true, { type: 'REBALANCE_IN_PROGRESS', retriable: false }],
    ['kafka_failed', true, { name: 'SomethingElse' }],
  ])('gives %s (retriable: %s)', (code, retriable, fields) => {
    const cause = thrown(fields);
    expect(toKafkaError(cause)).toMatchObject({ code, retriable, cause, halt: false });
  });

  it('looks at the causes and at the lists that kafkajs wraps errors in', () => {
    const refused = thrown({ type: 'INVALID_CONFIG' });
    expect(toKafkaError(thrown({ name: 'KafkaJSNonRetriableError' }, refused)).code).toBe('invalid_config');
    expect(toKafkaError(thrown({ name: 'KafkaJSAggregateError', errors: [refused] })).code).toBe('invalid_config');
  });

  it('keeps a KafkaError, and ends on causes that go in a circle', () => {
    const error = new KafkaError('x', 'y', { retriable: false, halt: true });
    expect(toKafkaError(error)).toBe(error);
    const circle = thrown({});
    circle.cause = circle;
    expect(toKafkaError(circle).code).toBe('kafka_failed');
  });

  it('takes what is no error at all', () => {
    expect(toKafkaError('text')).toMatchObject({ code: 'kafka_failed', cause: 'text' });
    expect(toKafkaError(undefined).code).toBe('kafka_failed');
  });
});

describe('isFenced', () => {
  it('sees the fence in the error, in its cause and in our own', () => {
    const fence = thrown({ type: 'INVALID_PRODUCER_EPOCH' });
    expect([fence, thrown({}, fence), toKafkaError(fence)].map(isFenced)).toEqual([true, true, true]);
    expect(isFenced(thrown({ type: 'MESSAGE_TOO_LARGE' }))).toBe(false);
  });
});
