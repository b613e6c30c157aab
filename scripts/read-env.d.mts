type Environment = Record<string, string | undefined>;
export const root: string;
export function readEnv(environment?: Environment, file?: string): Record<string, string>;
export function cacheDir(env: Environment): string;
export function stateDir(env: Environment): string;
export function givenRedisUrl(env: Environment): string | undefined;
export function secretOf(env: Environment, name: string): string | undefined;
export function tokenFor(env: Environment, scope: string): string | undefined;
