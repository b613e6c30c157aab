// All checks of a pipeline over one file: what the gate feeds row by row, what is decided after the last, and what is
// kept for later files.
import {
  viewColumns,
  type Cell,
  type CheckSpec,
  type DeadLetterCode,
  type FeatureRecord,
  type FeatureValue,
  type Pipeline,
  type View,
} from '#contracts';
import { TableEvidence, type TableJson } from './evidence.js';
import { prepareCheck, type PreparedCheck } from './prepare-check.js';
import type { RejectedJson } from './rejected.js';

/** What is kept of a file: the first table (empty name) is its rows, the others are views. */
export interface EvidenceJson {
  rejected: RejectedJson;
  tables: Record<string, TableJson>;
}

/** One table's checks, in the order of the pipeline file. */
export interface TableInspection {
  /** Empty for the file's rows, else the view. */
  readonly table: string;
  readonly evidence: TableEvidence;
  readonly prepared: readonly PreparedCheck[];
}

/** The file's rows: its whole profile, and the checks of `stage: file`. */
export class FileInspection implements TableInspection {
  readonly table = '';
  readonly evidence: TableEvidence;
  readonly prepared: readonly PreparedCheck[];
  private unexpected: readonly string[] = [];

  /** `runDay`: what `run_date` is, in days since 1970-01-01. */
  constructor(
    private readonly pipeline: Pipeline,
    runDay: number,
  ) {
    this.evidence = new TableEvidence(pipeline.columns, runDay);
    this.evidence.slice('').keepProfile(pipeline.columns);
    this.prepared = checksOf(pipeline, '').map((check) => prepareCheck(check, this.evidence, () => this.unexpected));
  }

  /** The names of the file's columns, once. */
  header(columns: readonly string[]): void {
    const { columns: known, csv } = this.pipeline;
    const declared = new Set([...known.map(({ name }) => name), ...(csv.header ?? [])]);
    this.unexpected = columns.filter((name) => !declared.has(name));
  }

  /** An accepted row, cells in the order of the pipeline's columns. */
  accepted(cells: readonly Cell[]): void {
    this.evidence.add(cells);
  }

  /** A rejected record; `cells`: what can be read of it, null where its fields could not be told apart. */
  rejected(column: string | null, code: DeadLetterCode, cells: (() => readonly Cell[]) | null): void {
    this.evidence.addRejected(column, code, cells);
  }
}

/** The views that have checks of `stage: features`. */
export function checkedViews(pipeline: Pipeline): readonly View[] {
  return pipeline.views.filter((view) => checksOf(pipeline, view.name).length > 0);
}

/** One view's features as the file alone gives them, and the checks of `stage: features` on them. */
export class ViewInspection implements TableInspection {
  readonly table: string;
  readonly evidence: TableEvidence;
  readonly prepared: readonly PreparedCheck[];

  constructor(
    pipeline: Pipeline,
    private readonly view: View,
    runDay: number,
  ) {
    this.table = view.name;
    const source = new Map(pipeline.columns.map((column) => [column.name, column]));
    const columns = viewColumns(view, (name) => source.get(name)!.type);
    this.evidence = new TableEvidence(
      columns.map((column) => ({ ...column, timeZone: 'UTC' })),
      runDay,
    );
    this.prepared = checksOf(pipeline, view.name).map((check) => prepareCheck(check, this.evidence, () => []));
  }

  add(record: FeatureRecord): void {
    const groups = this.view.groupBy.map((name) => record.key[name] ?? null);
    const features = this.view.features.map(({ name }) => cellOf(record.features[name] ?? null));
    this.evidence.add([...groups, ...features]);
  }
}

/** Lists (`top_k`) are looked at as their JSON. */
function cellOf(value: FeatureValue | object): Cell {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

function checksOf(pipeline: Pipeline, table: string): readonly CheckSpec[] {
  return pipeline.checks.filter((check) => (check.stage === 'features' ? check.view : '') === table);
}

/** About `bytes` of JSON at most. */
export function encodeEvidence(inspections: readonly TableInspection[], bytes: number): EvidenceJson {
  const tables: EvidenceJson['tables'] = {};
  for (const { table, evidence } of inspections) tables[table] = evidence.toJSON(bytes / inspections.length);
  return { rejected: inspections.find(({ table }) => table === '')?.evidence.rejected ?? {}, tables };
}
