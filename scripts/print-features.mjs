// Reads the example's features back from Redis and prints them as a table. Runs on the project's Node after the build,
// as it goes through the same library as the services. With --check it fails when a value is not the example's.
import { readFileSync } from 'node:fs';
import { openRedis } from '#redis';
import { table } from './table.mjs';

const expected = [
  ['São Paulo', '3', '65000', '195000'],
  ['Rio de Janeiro', '2', '112500', '225000'],
  ['Belo Horizonte', '1', '30000', '30000'],
];
const features = ['quantidade_empresas', 'capital_social_medio', 'capital_social_total'];

const { REDIS_URL: url, REDIS_TLS_CA_FILE: caFile } = process.env;
const redis = await openRedis({ url, ca: caFile ? readFileSync(caFile, 'utf8') : null });
try {
  const hashes = await Promise.all(expected.map(([city]) => redis.readHash(city)));
  const rows = hashes.map((hash, at) => [expected[at][0], ...features.map((name) => hash?.[name] ?? '-')]);
  console.log(table(['cidade', ...features], rows));
  if (process.argv.includes('--check') && JSON.stringify(rows) !== JSON.stringify(expected)) {
    console.error(`The features are not those of the example:\n${table(['cidade', ...features], expected)}`);
    process.exitCode = 1;
  }
} finally {
  await redis.close();
}
