import { AggregatorMetrics, IngestMetrics, WriterMetrics } from './metrics.js';

describe('metrics', () => {
  it('have names of their own, the service as a label, and the process beside them', async () => {
    const metrics = new WriterMetrics();
    metrics.features.inc({ pipeline: 'empresas', status: 'written' }, 3);
    metrics.batchSeconds.observe({ pipeline: 'empresas' }, 0.02);
    metrics.lagRecords.set({ pipeline: 'empresas', partition: 0 }, 7);
    const page = await metrics.text();
    expect(page).toContain('caudal_features_total{pipeline="empresas",status="written",service="feature-writer"} 3');
    expect(page).toContain('caudal_lag_records{pipeline="empresas",partition="0",service="feature-writer"} 7');
    expect(page).toMatch(/caudal_batch_seconds_count\{.*\} 1/);
    expect(page).toContain('process_cpu_seconds_total');
    expect(metrics.contentType).toContain('text/plain');
  });

  it('of several services live in one process', async () => {
    const [one, other] = [new IngestMetrics(), new IngestMetrics()];
    one.rowsAccepted.inc(5);
    expect(await one.text()).toContain('caudal_rows_accepted_total{service="ingest"} 5');
    expect(await other.text()).not.toContain('caudal_rows_accepted_total{service="ingest"} 5');
    expect(await new AggregatorMetrics().text()).toContain('caudal_rows_aggregated_total');
  });

  it('all begin with caudal_ or are those of the process', async () => {
    for (const metrics of [new IngestMetrics(), new AggregatorMetrics(), new WriterMetrics()]) {
      const names = [...(await metrics.text()).matchAll(/^# TYPE (\S+)/gm)].map((found) => found[1]!);
      expect(names.filter((name) => !/^(caudal|process|nodejs)_/.test(name))).toEqual([]);
    }
  });

  it('may be looked up at each reading', async () => {
    const metrics = new IngestMetrics();
    let queued = 4;
    metrics.beforeReading(() => metrics.runs.set({ state: 'queued' }, queued));
    expect(await metrics.text()).toContain('caudal_runs{state="queued",service="ingest"} 4');
    queued = 0;
    expect(await metrics.text()).toContain('caudal_runs{state="queued",service="ingest"} 0');
  });
});
