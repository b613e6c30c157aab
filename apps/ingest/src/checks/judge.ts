// After the gate's pass: the pipeline's own checks decide whether the file may enter. What they looked at is kept with the
// run, as its profile and as the reference of later files.
import { LIMITS, type CheckResult, type Pipeline, type RunError, type StoredRun, type TopicRange } from '#contracts';
import { encodeEvidence, referenceSlice, type TableInspection, type ViewInspection } from '#checks';
import { setTimeout as sleep } from 'node:timers/promises';
import { refusal, type Examined } from '#gate';
import type { RunParts } from '../runs/run-parts.js';

import { inspectViews } from './inspect-views.js';
import type { FoundReference, References } from './references.js';

export interface JudgeOptions {
  references: References;
  parts: Pick<RunParts, 'write'>;
  log: { warn(fields: object, message: string): void };
}

export interface Judgement {
  /** The gate's own, then the pipeline's in the order of its file. */
  checks: CheckResult[];
  refused: RunError | null;
  evidence: TopicRange | null;
}

const EVIDENCE_BYTES = LIMITS.runPartBytes - 8 * 1024;
const RETRY_MS = 500;

export class Judge {
  constructor(private readonly options: JudgeOptions) {}

  /** Waits while Kafka is away; throws the reason of `stop` when it aborts meanwhile. */
  async decide(args: {
    run: StoredRun;
    pipeline: Pipeline;
    result: Examined;
    typedPath: string;
    stop: AbortSignal;
  }): Promise<Judgement> {
    const { run, pipeline, result, typedPath, stop } = args;
    const { checks: gateChecks, refused } = result;
    if (refused && refused.code !== 'checks_failed') return { checks: gateChecks, refused, evidence: null };
    // A verdict is given once: later uploads may have become the reference since.
    if (hasPassed(run)) return { checks: run.checks, refused: null, evidence: run.internal.evidence! };
    const { inspections, tooMany } = await inspectViews(pipeline, run.internal.run_date, typedPath);
    const tables = [result.inspection, ...(tooMany ? [] : inspections)];
    const decided = await this.untilKafkaAnswers(stop, () => this.verdicts(tables, pipeline, run));
    if (tooMany) decided.push(...uncomputed(inspections, tooMany));
    const results = new Map(decided.map((one) => [one.name, one]));
    const checks = [...gateChecks, ...pipeline.checks.map(({ name }) => results.get(name)!)];
    const document = encodeEvidence(tables, EVIDENCE_BYTES);
    const evidence = await this.untilKafkaAnswers(stop, () => this.options.parts.write(run.id, document));
    this.options.references.remember(run.id, document);
    return { checks, refused: refusal(checks), evidence };
  }

  private async verdicts(
    tables: readonly TableInspection[],
    pipeline: Pipeline,
    run: StoredRun,
  ): Promise<CheckResult[]> {
    const { references } = this.options;
    const found = new Map<string, FoundReference>();
    const results: CheckResult[] = [];
    for (const { table, prepared } of tables) {
      for (const { check, compares, where, decide } of prepared) {
        if (!compares) {
          results.push(decide({ missing: 'not asked for' }));
          continue;
        }
        const name = references.nameOf(check);
        const reference = found.get(name) ?? (await references.find(name, pipeline, run));
        found.set(name, reference);
        if ('missing' in reference) results.push(decide(reference));
        else {
          const slice = referenceSlice(reference.evidence.tables[table], where);
          results.push(decide(slice ?? { missing: 'the reference was checked without this filter or view' }));
        }
      }
    }
    return results;
  }

  private async untilKafkaAnswers<T>(stop: AbortSignal, ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        stop.throwIfAborted();
        if ((error as { retriable?: boolean }).retriable !== true) throw error;
        this.options.log.warn({ err: error }, 'checks wait for Kafka');
        await sleep(RETRY_MS, undefined, { signal: stop });
      }
    }
  }
}

/** The run went on from its checks before a restart. */
function hasPassed(run: StoredRun): boolean {
  return Boolean(run.internal.evidence) && refusal(run.checks) === null;
}

/** Results of the checks of views that were not computed. */
function uncomputed(inspections: readonly ViewInspection[], reason: string): CheckResult[] {
  return inspections.flatMap(({ prepared }) =>
    prepared.map(({ check: { name, type, severity } }): CheckResult => {
      return { name, type, severity, verdict: 'fail', observed: null, expected: null, reason };
    }),
  );
}
