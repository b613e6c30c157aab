// A TCP proxy in front of a one-node Kafka that understands just enough of the protocol to hold back, swallow or delay
// chosen requests and replies. Clients are led back to it: it writes its own port over the broker's in the two replies
// that name brokers.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const PRODUCE = 0;
const METADATA = 3;
const FIND_COORDINATOR = 10;
const END_TXN = 26;
const NAMES = new Map([
  [PRODUCE, 'Produce'],
  [END_TXN, 'EndTxn'],
]);
const LENGTH_BYTES = 4;

/** A request that a rule may want to disturb. */
export interface ProxiedRequest {
  name: 'Produce' | 'EndTxn';
  transactionalId: string | null;
}

/**
 * `hold`: the reply comes after so many ms. `drop-reply`: Kafka does what was asked, the connection ends instead of the
 * reply. `late`: the connection ends before Kafka has seen the request, and Kafka gets it when `until` resolves.
 */
export type Disturbance =
  { kind: 'hold'; ms: number } | { kind: 'drop-reply' } | { kind: 'late'; until: Promise<void> } | null;

export type Rule = (request: ProxiedRequest) => Disturbance;

/** A request or reply with its length in front. */
type Frame = Buffer;

class Frames {
  private rest = Buffer.alloc(0);

  take(chunk: Buffer): Frame[] {
    this.rest = Buffer.concat([this.rest, chunk]);
    const frames: Frame[] = [];
    while (this.rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.rest.readInt32BE(0);
      if (this.rest.length < end) break;
      frames.push(this.rest.subarray(0, end));
      this.rest = this.rest.subarray(end);
    }
    return frames;
  }
}

export class KafkaProxy {
  /** Asked for every Produce and EndTxn. */
  rule: Rule = () => null;
  /** Error codes with which Kafka answered the requests that came late. */
  readonly lateAnswers: number[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly upstream: { host: string; port: number },
  ) {}

  /** Resolves when it listens on loopback. `broker` is `host:port`. */
  static async start(broker: string): Promise<KafkaProxy> {
    const [host = '', port] = broker.split(':');
    const server = createServer();
    const proxy = new KafkaProxy(server, { host, port: Number(port) });
    server.on('connection', (client) => proxy.serve(client));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get broker(): string {
    return `127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  private open(socket: Socket): Socket {
    this.sockets.add(socket);
    socket.on('error', () => undefined); // what matters is that it ends
    socket.on('close', () => this.sockets.delete(socket));
    return socket;
  }

  private serve(client: Socket): void {
    this.open(client);
    const broker = this.open(connect(this.upstream));
    client.on('close', () => broker.destroy());
    broker.on('close', () => client.destroy());
    const asked = new Map<number, { apiKey: number; disturbance: Disturbance }>();
    const requests = new Frames();
    const replies = new Frames();
    client.on('data', (chunk: Buffer) => {
      for (const frame of requests.take(chunk)) {
        const apiKey = frame.readInt16BE(4);
        const disturbance = this.disturb(apiKey, frame);
        if (disturbance?.kind === 'late') {
          void disturbance.until.then(() => this.sendLate(frame));
          client.destroy();
          return;
        }
        asked.set(frame.readInt32BE(8), { apiKey, disturbance });
        broker.write(frame);
      }
    });
    broker.on('data', (chunk: Buffer) => {
      for (const frame of replies.take(chunk)) {
        const { apiKey, disturbance } = asked.get(frame.readInt32BE(4))!;
        asked.delete(frame.readInt32BE(4));
        if (disturbance?.kind === 'drop-reply') return void client.destroy();
        const reply = this.pointHere(apiKey, frame);
        if (disturbance?.kind === 'hold') setTimeout(() => client.write(reply), disturbance.ms);
        else client.write(reply);
      }
    });
  }

  private disturb(apiKey: number, frame: Frame): Disturbance {
    const name = NAMES.get(apiKey) as ProxiedRequest['name'] | undefined;
    return name === undefined ? null : this.rule({ name, transactionalId: firstString(frame) });
  }

  /** On a connection of its own, as a network that had lost the packet for a while would deliver it. */
  private sendLate(frame: Frame): void {
    const broker = this.open(connect(this.upstream));
    const replies = new Frames();
    broker.write(frame);
    broker.on('data', (chunk: Buffer) => {
      const [reply] = replies.take(chunk);
      if (reply === undefined) return;
      this.lateAnswers.push(reply.readInt16BE(12)); // length, correlation id, throttle time, error code
      broker.destroy();
    });
  }

  /** Writes this proxy's port over the brokers' ports. Both replies begin with correlation id and throttle time. */
  private pointHere(apiKey: number, frame: Frame): Frame {
    if (apiKey !== METADATA && apiKey !== FIND_COORDINATOR) return frame;
    const reply = Buffer.from(frame);
    const skipString = (at: number): number => at + 2 + Math.max(reply.readInt16BE(at), 0);
    let at = 12;
    if (apiKey === FIND_COORDINATOR) {
      const port = skipString(skipString(at + 2) + 4); // error code, message, node id, host
      reply.writeInt32BE(this.port, port);
      return reply;
    }
    const brokers = reply.readInt32BE(at);
    at += 4;
    for (let broker = 0; broker < brokers; broker++) {
      const port = skipString(at + 4); // node id, host
      reply.writeInt32BE(this.port, port);
      at = skipString(port + 4); // rack
    }
    return reply;
  }
}

/** The first field of the request's body; what stands before it is length, api key, version, correlation and client id. */
function firstString(frame: Frame): string | null {
  const at = 14 + Math.max(frame.readInt16BE(12), 0);
  const length = frame.readInt16BE(at);
  return length < 0 ? null : frame.toString('utf8', at + 2, at + 2 + length);
}
