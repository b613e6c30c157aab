// Patch 2 against kafkajs' own grouping: same groups, one pass, no partitioner.
import fc from 'fast-check';
import { kafkaJsInternal } from '../kafkajs.js';
import { grouped, type PlacedMessage } from './group-messages.js';

interface GroupArgs {
  topic: string;
  partitionMetadata: object[];
  messages: PlacedMessage[];
  partitioner: (args: { message: PlacedMessage }) => number;
}
const group = kafkaJsInternal<(args: GroupArgs) => Record<string, PlacedMessage[]>>(
  'producer/groupMessagesPerPartition',
);
const byOwnPartition = ({ message }: { message: PlacedMessage }): number => message.partition;
const forbidden = (): number => {
  throw new Error('the partitioner was asked');
};
const partitionMetadata = [{}];

describe('the grouping patch', () => {
  it('gives the groups that kafkajs gives, in order, without asking the partitioner', () => {
    const message = fc.record({ partition: fc.nat(7), key: fc.constant(null), value: fc.string() });
    fc.assert(
      fc.property(fc.array(message), (messages) => {
        const stock = group({ topic: 't', partitionMetadata, messages: [...messages], partitioner: byOwnPartition });
        const ours = group({ topic: 't', partitionMetadata, messages: grouped([...messages]), partitioner: forbidden });
        expect(ours).toEqual(stock);
      }),
    );
  });

  it('touches every message once', () => {
    let reads = 0;
    const messages = Array.from({ length: 2000 }, (_, index) => ({
      get partition() {
        reads++;
        return index % 4;
      },
      key: null,
      value: 'v',
    }));
    group({ topic: 't', partitionMetadata, messages: grouped(messages), partitioner: forbidden });
    expect(reads).toBeLessThanOrEqual(2 * messages.length);
  });

  it('refuses a message without a partition', () => {
    const messages = [{ key: null, value: 'v' }] as unknown as PlacedMessage[];
    const send = (): unknown =>
      group({ topic: 't', partitionMetadata, messages: grouped(messages), partitioner: () => 0 });
    expect(send).toThrow(/without a partition/);
  });
});
