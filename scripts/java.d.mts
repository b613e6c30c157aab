export function javaMajor(text: string): number | undefined;
