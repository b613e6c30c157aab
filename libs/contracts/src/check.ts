// A declared check as the services use it.

export interface CheckSpec {
  readonly name: string;
  readonly type: string;
  readonly severity: 'error' | 'warn';
}
