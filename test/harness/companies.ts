// Files for the shipped pipeline `empresas`, with results that can be said without computing them.

export const HEADER = 'cnpj,data_abertura,cidade,estado,capital_social';

/** One good row. `n` makes it unlike others. */
export function company(n: number, city = 'Recife', capital: string | number = 100): string {
  const day = String(1 + (n % 28)).padStart(2, '0');
  return `${String(n).padStart(14, '0')},2023-03-${day}T10:00:00Z,${city},PE,${capital}`;
}

/** A file of these rows. */
export function fileOf(rows: readonly string[]): string {
  return `${[HEADER, ...rows].join('\n')}\n`;
}

/** A file of `count` good rows over `cities` cities named `<mark> <number>`, each row with a capital of 1. */
export function companies(count: number, cities: number, mark: string): string {
  const lines = [HEADER];
  for (let n = 0; n < count; n++) lines.push(company(n, `${mark} ${n % cities}`, 1));
  return `${lines.join('\n')}\n`;
}
