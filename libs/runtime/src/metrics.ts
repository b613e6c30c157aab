// What each service counts and measures, with names that dashboards rely on: all begin with `caudal_`.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300];

/** A service's metrics, in a registry of their own so that tests may have several in one process. */
class ServiceMetrics {
  readonly #registry = new Registry();
  readonly #listeners: (() => void)[] = [];
  readonly contentType: string;

  constructor(service: string) {
    this.contentType = this.#registry.contentType;
    this.#registry.setDefaultLabels({ service });
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Calls back before each reading: for gauges that are looked up rather than kept. */
  beforeReading(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The page that Prometheus reads. */
  text(): Promise<string> {
    for (const listener of this.#listeners) listener();
    return this.#registry.metrics();
  }

  protected counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter<L>({ name: `caudal_${name}_total`, help, labelNames, registers: [this.#registry] });
  }

  protected gauge<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge<L>({ name: `caudal_${name}`, help, labelNames, registers: [this.#registry] });
  }

  protected seconds<L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> {
    const registers = [this.#registry];
    return new Histogram<L>({ name: `caudal_${name}_seconds`, help, labelNames, buckets: SECONDS, registers });
  }
}

export class IngestMetrics extends ServiceMetrics {
  readonly rowsRead = this.counter('rows_read', 'Rows read by the gate', ['pipeline']);
  readonly rowsAccepted = this.counter('rows_accepted', 'Rows that passed the gate', ['pipeline']);
  readonly rowsRejected = this.counter('rows_rejected', 'Rows that became dead letters', ['pipeline']);
  readonly rowsPublished = this.counter('rows_published', 'Rows committed to the rows topic', ['pipeline']);
  readonly transactions = this.counter('transactions', 'Transactions committed', ['pipeline']);
  readonly stepSeconds = this.seconds('step', 'How long the steps of runs took', ['pipeline', 'step']);
  readonly runs = this.gauge('runs', 'Runs by state', ['state']);
  /** `outcome` is delivered or given_up. */
  readonly notices = this.counter('notices', 'Notices of ended runs by what became of them', ['pipeline', 'outcome']);
  readonly bodies = this.gauge('bodies', 'Bodies that are being received');
  readonly spoolBytes = this.gauge('spool_bytes', 'Bytes of bodies kept on disk');

  constructor() {
    super('ingest');
  }
}

export class AggregatorMetrics extends ServiceMetrics {
  readonly rows = this.counter('rows_aggregated', 'Rows taken into their windows', ['pipeline']);
  readonly rowsLate = this.counter('rows_late', 'Rows whose window was closed, once a view', ['pipeline', 'view']);
  readonly features = this.counter('features_emitted', 'Records committed to the features topic', ['pipeline']);
  readonly transactions = this.counter('transactions', 'Transactions committed', ['pipeline']);
  readonly stepSeconds = this.seconds('step', 'How long a step took, from its rows to its commit', ['pipeline']);
  readonly restoredRecords = this.counter('restored_records', 'Changelog records read to restore tasks', ['pipeline']);
  readonly restoreSeconds = this.seconds('restore', 'How long acquiring a task took, its restore included', [
    'pipeline',
  ]);
  /** `stage` is rows or partials. */
  readonly openWindows = this.gauge('open_windows', 'Windows held in memory', ['pipeline', 'stage', 'partition']);
  readonly stateBytes = this.gauge('state_bytes', 'About how much memory the state of all tasks takes');
  readonly stateMaxBytes = this.gauge('state_max_bytes', 'How much memory the state of all tasks may take');
  readonly tasksPaused = this.gauge('task_paused', '1 where a task has paused because the state is full', [
    'pipeline',
    'stage',
    'partition',
  ]);
  readonly lagRecords = this.gauge('lag_records', 'Records of the rows (or partials) topic not aggregated yet', [
    'pipeline',
    'stage',
    'partition',
  ]);
  /** 0 where a source is not waited for. */
  readonly partialsBlockedBy = this.gauge(
    'partials_blocked_by',
    'Control records by which a source of partials is behind the furthest one',
    ['pipeline', 'partition', 'source'],
  );

  constructor() {
    super('aggregator');
  }
}

export class WriterMetrics extends ServiceMetrics {
  /** `status` is written, superseded, expired, wrong_type, foreign_view or reserved. */
  readonly features = this.counter('features', 'Feature records by what became of them', ['pipeline', 'status']);
  readonly batchSeconds = this.seconds('batch', 'How long a batch took', ['pipeline']);
  readonly lagRecords = this.gauge('lag_records', 'Records of the features topic not written yet', [
    'pipeline',
    'partition',
  ]);

  constructor() {
    super('feature-writer');
  }
}
