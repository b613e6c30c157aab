interface Packages {
  packages: Record<
    string,
    {
      version?: string;
      integrity?: string;
      optional?: boolean;
      devOptional?: boolean;
    }
  >;
}
export function missingPackages(lock: Packages, installed: Packages): string[];
