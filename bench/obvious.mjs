// (a) The obvious version of the same job, as one writes it in an afternoon: csv-parse objects, producer.send of JSON in
// 500s, eachMessage into a Map, HSET pipelined each second. Stock kafkajs: none of Caudal's libraries or patches.
// Started by main.mjs as two processes: `obvious.mjs produce FILE TOPIC` and `obvious.mjs consume ROWS TOPIC`.
import { createReadStream } from 'node:fs';

// Loaded by name at run time: the product itself reaches Kafka and Redis through its libraries alone.
const { Kafka, Partitioners, logLevel } = (await import('kafkajs')).default;
const kafka = new Kafka({
  clientId: 'obvious',
  brokers: process.env.KAFKA_BROKERS.split(','),
  logLevel: logLevel.ERROR,
});
const [role, argument, topic] = process.argv.slice(2);

async function produce(file) {
  const { parse } = await import('csv-parse');
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  let messages = [];
  for await (const row of createReadStream(file).pipe(parse({ columns: true }))) {
    messages.push({ key: row.cidade, value: JSON.stringify(row) });
    if (messages.length < 500) continue;
    await producer.send({ topic, messages });
    messages = [];
  }
  if (messages.length > 0) await producer.send({ topic, messages });
  await producer.disconnect();
}

async function consume(rows) {
  const { Redis } = await import('ioredis');
  const redis = new Redis(process.env.REDIS_URL);
  const consumer = kafka.consumer({ groupId: topic });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const groups = new Map();
  const changed = new Set();
  let seen = 0;
  const flush = async () => {
    const pipeline = redis.pipeline();
    for (const city of changed) {
      const { count, sum } = groups.get(city);
      pipeline.hset(`obvious:${city}`, { count, avg: sum / count, sum });
    }
    changed.clear();
    await pipeline.exec();
  };
  await new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      const done = seen === rows;
      flush().then(() => done && (clearInterval(timer), resolve()), reject);
    }, 1000);
    consumer.run({
      eachMessage: async ({ message }) => {
        const row = JSON.parse(message.value.toString());
        const group = groups.get(row.cidade) ?? { count: 0, sum: 0 };
        group.count++;
        group.sum += Number(row.capital_social);
        groups.set(row.cidade, group);
        changed.add(row.cidade);
        seen++;
      },
    });
    consumer.on(consumer.events.GROUP_JOIN, () => process.send?.('joined'));
  });
  await consumer.disconnect();
  redis.disconnect();
}

if (role === 'produce') await produce(argument);
else await consume(Number(argument));
process.disconnect?.();
