// Every failure that leaves libs/kafka is a KafkaError: `code` says what it is, `retriable` whether trying again can help.

/** An error with a stable `code`; `halt` marks a partition that must wait for a person or a new assignment. */
export class KafkaError extends Error {
  readonly code: string;
  readonly retriable: boolean;
  readonly halt: boolean;

  constructor(code: string, message: string, options: { retriable: boolean; halt?: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'KafkaError';
    this.code = code;
    this.retriable = options.retriable;
    this.halt = options.halt ?? false;
  }
}

/** The fields of kafkajs' errors that tell them apart. */
interface KafkaJsErrorLike {
  name?: unknown;
  message?: unknown;
  type?: unknown;
  code?: unknown;
  retriable?: unknown;
  cause?: unknown;
  errors?: unknown;
}

// An expired transaction timeout answers with the same error as a fence: the two cannot be told apart.
const FENCED_TYPES = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING']);
const AWAY_NAMES = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSLockTimeout',
  'KafkaJSTimeout',
]);
// Refused for good: the same bytes sent again would be refused again.
const REFUSED_TYPES = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
  'INVALID_TRANSACTION_TIMEOUT',
]);

/** The error and its causes, outermost first; a cycle ends the walk. */
function* chain(error: unknown): Generator<KafkaJsErrorLike> {
  const seen = new Set<unknown>();
  let current = error;
  while (typeof current === 'object' && current !== null && !seen.has(current)) {
    seen.add(current);
    const link: KafkaJsErrorLike = current;
    yield link;
    // kafkajs' createTopics gathers its errors in a list: the first one tells what is wrong.
    current = link.cause ?? (Array.isArray(link.errors) ? link.errors[0] : undefined);
  }
}

/** Whether `error` (or a cause of it) says that a newer producer with the same transactional id has taken over. */
export function isFenced(error: unknown): boolean {
  for (const link of chain(error)) {
    if (link.code === 'fenced') return true;
    if (typeof link.type === 'string' && FENCED_TYPES.has(link.type)) return true;
  }
  return false;
}

/** Turns whatever was thrown at the Kafka boundary into a KafkaError; a KafkaError stays the same object. */
export function toKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (isFenced(error)) {
    return new KafkaError('fenced', `a newer owner has taken over (${text}): drop this producer and acquire again`, {
      retriable: true,
      cause: error,
    });
  }
  for (const link of chain(error)) {
    if (typeof link.type === 'string' && REFUSED_TYPES.has(link.type)) {
      return new KafkaError(link.type.toLowerCase(), `Kafka refused the request (${text}): it would refuse it again`, {
        retriable: false,
        cause: error,
      });
    }
  }
  for (const link of chain(error)) {
    if (link.code === 'ECONNREFUSED' || (typeof link.name === 'string' && AWAY_NAMES.has(link.name))) {
      return new KafkaError('kafka_unavailable', `Kafka does not answer (${text}): is it running at KAFKA_BROKERS?`, {
        retriable: true,
        cause: error,
      });
    }
  }
  return unclassified(error, text);
}

function unclassified(error: unknown, text: string): KafkaError {
  for (const link of chain(error)) {
    if (typeof link.type === 'string') {
      // Unknown protocol errors are passing trouble unless kafkajs is sure: every retry above is bounded.
      const hint = link.retriable === false ? 'see the broker log' : 'trying again may help';
      return new KafkaError(link.type.toLowerCase(), `Kafka answered ${link.type} (${text}): ${hint}`, {
        retriable: true,
        cause: error,
      });
    }
  }
  return new KafkaError('kafka_failed', `talking to Kafka failed (${text}): see the cause`, {
    retriable: true,
    cause: error,
  });
}
