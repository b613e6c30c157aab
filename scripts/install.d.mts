interface Packages {
  packages: Record<
    string,
    {
      version?: string;
      integrity?: string;
      optional?: boolean;
      devOptional?: boolean;
      optionalDependencies?: Record<string, string>;
    }
  >;
}
export function missingPackages(lock: Packages, installed: Packages): string[];
export function missingOptional(
  lines: string[],
  lock: Packages,
  manifest: { dependencies?: Record<string, string>; devDependencies?: Record<string, string> },
): string[] | undefined;
