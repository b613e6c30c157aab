// What crosses keys in the checks of a pipeline file: columns exist, expressions can be read, bounds allow something.
import { testedExpressions, type CheckOf, type CheckSpec } from './check.js';
import { ExpressionError, parseExpression } from './expression.js';
import { hasCalls, typeOf, type ExpressionContext, type ValueType } from './expression-type.js';
import type { PipelineDocument } from './pipeline-schema.js';
import type { Path, Report } from './pipeline-rules.js';
import type { ColumnType } from './pipeline.js';
import { toFeature } from './to-pipeline.js';
import { viewColumns } from './view-columns.js';

type Columns = ReadonlyMap<string, ColumnType>;

/** Reports what is wrong with the pipeline's checks. */
export function checkChecks(doc: PipelineDocument, report: Report): void {
  const names = new Set<string>(['header', 'max_error_fraction']);
  doc.checks.forEach((check, index) => {
    const path = ['checks', index];
    if (names.has(check.name)) report([...path, 'name'], `another check is called "${check.name}"`);
    names.add(check.name);
    const columns = columnsOf(doc, check, path, report);
    if (columns) new CheckRules(check, columns, path, report).all();
  });
}

/** The columns that the check's expressions may name; null after a report. */
function columnsOf(doc: PipelineDocument, check: CheckSpec, path: Path, report: Report): Columns | null {
  if (check.stage === 'file') {
    if (check.view !== undefined) report([...path, 'view'], '"view" goes with "stage: features"');
    return new Map(Object.entries(doc.source.columns).map(([name, column]) => [name, column.type]));
  }
  const names = Object.keys(doc.views).join(', ');
  const view = check.view !== undefined && Object.hasOwn(doc.views, check.view) ? doc.views[check.view]! : null;
  if (!view) {
    report([...path, 'view'], `"stage: features" needs one of the views: ${names}`);
    return null;
  }
  const features = Object.entries(view.features).map(([name, feature]) => toFeature(name, feature));
  const type = (name: string) => doc.source.columns[name]?.type ?? 'string';
  const columns = viewColumns({ groupBy: view.group_by, features }, type);
  return new Map(columns.map((column) => [column.name, column.type]));
}

class CheckRules {
  constructor(
    private readonly check: CheckSpec,
    private readonly columns: Columns,
    private readonly path: Path,
    private readonly report: Report,
  ) {}

  all(): void {
    const { check, path, report } = this;
    if (check.where !== undefined) this.expect(check.where, ['where'], 'row', 'boolean');
    if (
      'reference' in check &&
      check.days_back !== undefined &&
      check.reference !== undefined &&
      check.reference !== 'previous'
    ) {
      report([...path, 'days_back'], 'names a reference by its day: leave "reference" out');
    }
    switch (check.type) {
      case 'schema_skew':
        if (check.stage !== 'file')
          report([...path, 'stage'], 'schema_skew looks at the columns of files: "stage: file"');
        break;
      case 'value_skew':
        return this.valueSkew(check);
      case 'row_count_change':
        return this.rowCountChange(check);
      case 'drift':
        return this.drift(check);
      case 'check':
        return this.tested(check);
      case 'interval_check':
        return this.interval(check);
      case 'value_check':
        this.tested(check);
        return this.value(check);
      case 'column_check':
        return this.columnMapping(check);
      case 'table_check':
        return this.statements(check);
      case 'threshold_check':
        this.tested(check, ['number', 'timestamp', 'date']);
        return this.thresholds(check);
    }
  }

  /** The expression's type; null after a report. */
  private type(text: string, key: Path, context?: ExpressionContext): ValueType | null {
    try {
      const parsed = parseExpression(text);
      return typeOf(parsed, this.columns, context ?? (hasCalls(parsed) ? 'aggregate' : 'row'));
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      this.report([...this.path, ...key], `"${text.slice(0, 200)}" ${error.message}`);
      return null;
    }
  }

  private expect(text: string, key: Path, context?: ExpressionContext, ...wanted: ValueType[]): void {
    const type = this.type(text, key, context);
    if (type === null || wanted.length === 0 || type === 'null' || wanted.includes(type)) return;
    this.report([...this.path, ...key], `"${text.slice(0, 200)}" is a ${type}, here goes a ${wanted.join(' or ')}`);
  }

  private column(name: string, key: Path, ...types: ColumnType[]): void {
    const type = this.columns.get(name);
    if (type === undefined) {
      this.report([...this.path, ...key], `no column "${name}"; there are ${[...this.columns.keys()].join(', ')}`);
    } else if (types.length > 0 && !types.includes(type)) {
      this.report([...this.path, ...key], `needs a column of type ${types.join(' or ')}, "${name}" is ${type}`);
    }
  }

  private tested(check: CheckOf<'check' | 'value_check' | 'threshold_check'>, wanted: ValueType[] = []): void {
    if ((check.expression === undefined) === (check.expressions === undefined)) {
      this.report(this.path, 'needs either "expression" or "expressions"');
    }
    const key = (index: number): Path => (check.expressions ? ['expressions', index] : ['expression']);
    testedExpressions(check).forEach((text, index) => this.expect(text, key(index), 'aggregate', ...wanted));
  }

  private valueSkew(check: CheckOf<'value_skew'>): void {
    this.column(check.column, ['column']);
    if (check.min !== undefined || check.max !== undefined) this.column(check.column, ['column'], 'integer', 'decimal');
    const type = this.columns.get(check.column);
    const text =
      (type === 'integer' || type === 'decimal') && check.domain?.find((one) => !/^-?\d+(\.\d+)?$/.test(one));
    if (typeof text === 'string')
      this.report([...this.path, 'domain'], `"${text}" is no plain number, as the column's values`);
    const own = check.domain ?? check.min ?? check.max;
    if (own !== undefined) return;
    if (check.stage === 'features') this.report(this.path, 'needs domain, min or max: no feature is ever rejected');
  }

  private rowCountChange(check: CheckOf<'row_count_change'>): void {
    const { min_fraction: min, max_fraction: max } = check;
    if (min === undefined && max === undefined) this.report(this.path, 'needs min_fraction, max_fraction or both');
    if (min !== undefined && max !== undefined && min > max) {
      this.report([...this.path, 'min_fraction'], 'must not be above max_fraction');
    }
  }

  private drift(check: CheckOf<'drift'>): void {
    const isTest = check.measure === 'kolmogorov_smirnov';
    if (isTest) this.column(check.column, ['column'], 'integer', 'decimal', 'timestamp');
    else this.column(check.column, ['column']);
    if (check.p_value !== undefined && !isTest) {
      this.report([...this.path, 'p_value'], '"p_value" goes with "measure: kolmogorov_smirnov"');
    } else if ((check.threshold === undefined) === (check.p_value === undefined)) {
      this.report(this.path, isTest ? 'needs either "threshold" or "p_value"' : 'needs "threshold"');
    }
  }

  private interval(check: CheckOf<'interval_check'>): void {
    for (const metric of Object.keys(check.metrics_thresholds)) {
      this.expect(metric, ['metrics_thresholds', metric], 'aggregate', 'number');
    }
    if (check.date_filter_column !== undefined)
      this.column(check.date_filter_column, ['date_filter_column'], 'timestamp');
    const { on_zero: onZero, ignore_zero: ignoreZero } = check;
    if (onZero === undefined) return;
    if (check.semantics === 'airflow') {
      this.report([...this.path, 'on_zero'], '"semantics: airflow" has ignore_zero');
    } else if (ignoreZero !== undefined && ignoreZero !== (onZero === 'pass')) {
      this.report([...this.path, 'on_zero'], 'contradicts ignore_zero: say one of them');
    }
  }

  private value(check: CheckOf<'value_check'>): void {
    // Airflow drops a tolerance that it cannot use without a word.
    if (check.semantics === 'airflow' || check.tolerance === undefined) return;
    const path = [...this.path, 'tolerance'];
    const tolerance = Number(check.tolerance);
    if (String(check.tolerance).trim() === '' || !(tolerance >= 0)) this.report(path, 'must be a number, 0 or above');
    if (!Number.isFinite(Number(check.pass_value)))
      this.report(path, 'goes with a number in pass_value, not with a text');
  }

  private thresholds({ semantics, min_threshold: min, max_threshold: max }: CheckOf<'threshold_check'>): void {
    this.expect(min, ['min_threshold'], 'aggregate');
    this.expect(max, ['max_threshold'], 'aggregate');
    // Bounds may be expressions; of two numbers it is known now that nothing passes. Airflow builds such a check all the same.
    if (semantics === 'strict' && Number(min) > Number(max)) {
      this.report([...this.path, 'min_threshold'], `must not be above max_threshold (${max})`);
    }
  }

  private columnMapping(check: CheckOf<'column_check'>): void {
    for (const [name, checks] of Object.entries(check.column_mapping)) {
      const key = ['column_mapping', name];
      this.column(name, key);
      if (Object.keys(checks).length === 0) this.report([...this.path, ...key], 'needs at least one check');
      for (const [kind, bounds] of Object.entries(checks)) {
        if (kind === 'min' || kind === 'max') this.column(name, [...key, kind], 'integer', 'decimal');
        const problem = comparisonsProblem(bounds!);
        if (problem !== null) this.report([...this.path, ...key, kind], problem);
      }
    }
  }

  private statements(check: CheckOf<'table_check'>): void {
    for (const [name, { check_statement: text }] of Object.entries(check.checks)) {
      this.expect(text, ['checks', name, 'check_statement'], undefined, 'boolean');
    }
  }
}

type Comparisons = NonNullable<CheckOf<'column_check'>['column_mapping'][string]['min']>;

function comparisonsProblem(bounds: Comparisons): string | null {
  const { equal_to: equal, geq_to: geq, greater_than: greater, leq_to: leq, less_than: less } = bounds;
  const lower = geq ?? greater;
  const upper = leq ?? less;
  if (equal === undefined && lower === undefined && upper === undefined) {
    return 'needs one or more of equal_to, geq_to, greater_than, leq_to, less_than';
  }
  if (equal !== undefined && (lower !== undefined || upper !== undefined)) return 'equal_to excludes all other bounds';
  if (geq !== undefined && greater !== undefined) return 'geq_to and greater_than exclude each other';
  if (leq !== undefined && less !== undefined) return 'leq_to and less_than exclude each other';
  if (lower !== undefined && upper !== undefined && lower >= upper) {
    return `the lower bound ${lower} must be below the upper bound ${upper} (use equal_to for one value)`;
  }
  return null;
}
