// Names of time zones, as pipeline files state them.

/** True for a zone that this Node's own time zone data (ICU) knows, such as `America/Sao_Paulo`. */
export function isTimeZone(name: string): boolean {
  try {
    // An offset such as +03:00 is accepted too by newer versions: it is no zone with rules, so it is refused here.
    return !/^[+-]\d/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}
