// Files for the pipeline `lojas`, and what Redis is to hold after them: computed from the rows alone.
import { averageOf, plainDecimal, Random } from './seeded-upload.js';

const DAY_MS = 86_400_000;
const FIRST_MS = Date.UTC(2024, 0, 1);

interface ShopSale {
  id: string;
  timeMs: number;
  cidade: string;
  loja: string;
  cents: bigint;
}

/** `place`: uploads of one stack lie two days apart each, so that days close on the way; some rows come too late. */
export function shopSales(args: { seed: number; rows: number; place: number }): ShopSale[] {
  const random = new Random(args.seed);
  return Array.from({ length: args.rows }, (_, at): ShopSale => {
    const isOld = args.place > 0 && random.below(20) === 0;
    const day = 2 * (args.place - (isOld ? 1 : 0));
    return {
      id: `${args.seed}-${at}`,
      timeMs: FIRST_MS + day * DAY_MS + random.below(2 * DAY_MS),
      cidade: `Cidade ${random.below(9)}`,
      loja: `Loja ${Math.min(random.below(20), random.below(20))} & Cia: "é%"`,
      cents: BigInt(random.between(-500, 10_000)),
    };
  });
}

export function shopsCsv(sales: readonly ShopSale[]): string {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const lines = sales.map(({ id, timeMs, cidade, loja, cents }) =>
    [id, new Date(timeMs).toISOString(), cidade, quoted(loja), plainDecimal(cents, 2)].join(','),
  );
  return `venda,vendido_em,cidade,loja,valor\n${lines.join('\n')}\n`;
}

/** Features by Redis key, after these uploads in this order; `late`: rows too late for their day, by upload. */
export function shopFeatures(uploads: readonly ShopSale[][]) {
  const hashes = new Map<string, Record<string, string>>();
  const groups = new Map<string, bigint[]>();
  const late: number[] = [];
  let streamTimeMs = Number.NEGATIVE_INFINITY;
  const add = (to: Map<string, bigint[]>, key: string, cents: bigint) => to.set(key, [...(to.get(key) ?? []), cents]);
  const escaped = (text: string) => text.replaceAll('%', '%25').replaceAll(':', '%3A');
  for (const sales of uploads) {
    const own = new Map<string, bigint[]>();
    let lateRows = 0;
    for (const { timeMs, cidade, loja, cents } of sales) {
      add(own, `c:${cidade}`, cents);
      add(own, `l:${loja}`, cents);
      add(groups, `s:${loja}`, cents);
      const startMs = Math.floor(timeMs / DAY_MS) * DAY_MS;
      if (startMs + DAY_MS <= streamTimeMs) lateRows++;
      else add(groups, `${escaped(cidade)}:${escaped(loja)}:${startMs}`, cents);
    }
    late.push(lateRows);
    streamTimeMs = sales.reduce((latest, { timeMs }) => Math.max(latest, timeMs), streamTimeMs);
    for (const [key, cents] of own) hashes.set(key, featuresOf(key, cents));
  }
  for (const [key, cents] of groups) hashes.set(key, featuresOf(key, cents));
  return { hashes, late };
}

function featuresOf(key: string, cents: readonly bigint[]): Record<string, string> {
  const sum = cents.reduce((total, one) => total + one, 0n);
  const count = { vendas: String(cents.length) };
  if (key.startsWith('s:')) return { ...count, media: averageOf(sum, BigInt(cents.length)) };
  const total = { ...count, total: plainDecimal(sum, 2) };
  if (!key.startsWith('l:')) return total;
  return {
    ...total,
    menor: plainDecimal(
      cents.reduce((least, one) => (one < least ? one : least)),
      2,
    ),
  };
}
