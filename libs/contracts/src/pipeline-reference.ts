// The pipeline file for editors and readers: its JSON Schema and its reference page, both made from the schema that
// checks it. `npm run docs` writes them; a test compares.
import { z } from 'zod';
import { DURATION_PATTERN } from './duration.js';
import { pipelineSchema } from './pipeline-schema.js';

interface JsonSchema {
  pattern?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  required?: string[];
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | false;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
}

/** JSON Schema (2020-12) of `pipelines/*.yaml`: what may be written, before defaults. Rules that cross keys are not in it. */
export function pipelineJsonSchema(): object {
  return { ...z.toJSONSchema(pipelineSchema, { io: 'input' }), title: 'A pipeline of Caudal' };
}

const HEAD = `# The pipeline file

\`pipelines/NAME.yaml\` says what a file of this kind holds, which rows are good, and what is made of them. All files are read when
a service starts; every mistake is told with file, line and what is allowed, and the service does not start.
\`pipelines/empresas.yaml\` is a complete example. How files are read is in [reference/csv.md](reference/csv.md), what windows,
numbers and keys mean in [semantics.md](semantics.md).

Editors complete and check the file by [pipeline.schema.json](pipeline.schema.json), for instance with this first line:

\`\`\`yaml
# yaml-language-server: $schema=../docs/pipeline.schema.json
\`\`\`

Durations are a whole number and \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`. Every column in \`key\`, \`group_by\` and \`event_time\` must be
\`required: true\`. Column names may not begin with \`_\`. Words in parentheses are the codes of the dead letters.

This page is generated (\`npm run docs\`).
`;

/** docs/pipeline-reference.md as it must be. */
export function pipelineReference(): string {
  return [HEAD, ...new Page().sections('', pipelineJsonSchema() as JsonSchema)].join('\n');
}

type Properties = Record<string, JsonSchema>;

class Page {
  /** Shapes that more than one key has are told once. */
  readonly #told = new Set<string>();

  /** A table of the keys at `path`, and the sections of what is below them. */
  sections(path: string, schema: JsonSchema): string[] {
    const options = (schema.oneOf ?? schema.anyOf ?? []).filter((option) => option.properties);
    if (options.length > 0) return this.#alternatives(path, schema, options);
    const { properties, additionalProperties, items } = schema;
    if (properties) {
      const shape = JSON.stringify(properties);
      if (this.#told.has(shape)) return [];
      this.#told.add(shape);
      const inner = Object.entries(properties).flatMap(([key, value]) => this.sections(below(path, key), value));
      return [...table(path, schema), ...inner];
    }
    if (additionalProperties) return this.sections(below(path, 'NAME'), additionalProperties);
    return items ? this.sections(`${path}[]`, items) : [];
  }

  /** Several shapes: told apart by their `type`, with what all of them have told first, or each of one key alone. */
  #alternatives(path: string, schema: JsonSchema, options: JsonSchema[]): string[] {
    if (options.some((option) => typeOf(option) === null)) {
      const properties = Object.assign({}, ...options.map((option) => option.properties)) as Properties;
      return this.sections(path, { properties, description: schema.description ?? 'One of these keys' });
    }
    const [first] = options as [JsonSchema];
    const shared = Object.entries(first.properties!).filter(([key, value]) =>
      options.every((option) => JSON.stringify(option.properties![key]) === JSON.stringify(value)),
    );
    const required = first.required?.filter((key) => shared.some(([name]) => name === key)) ?? [];
    const all = { properties: Object.fromEntries(shared), required, description: 'What all types have' };
    const sharedKeys = new Set(shared.map(([key]) => key));
    const own = (properties: Properties) => Object.entries(properties).filter(([key]) => !sharedKeys.has(key));
    return [
      ...(shared.length === 0 ? [] : this.sections(path, all)),
      ...options.flatMap((option) => {
        const properties = Object.fromEntries(own(option.properties!));
        return this.sections(`${path} { type: ${typeOf(option)!} }`, { ...option, properties });
      }),
    ];
  }
}

/** The fixed `type` of a shape; null when it has none. */
function typeOf({ properties }: JsonSchema): string | null {
  const type = properties?.['type']?.const;
  return typeof type === 'string' ? type : null;
}

const below = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

function table(path: string, { properties, required, description }: JsonSchema): string[] {
  const rows = Object.entries(properties!)
    .filter(([, inner]) => inner.const === undefined)
    .map(([key, inner]) => {
      const must = required?.includes(key) ? ' **required**' : '';
      const standard = inner.default === undefined || isObject(inner.default) ? '' : code(inner.default);
      return `| \`${key}\`${must} | ${kind(inner)} | ${standard} | ${cell(inner.description ?? '')} |`;
    });
  const title = path === '' ? [] : [`## ${path.includes(' ') ? path : `\`${path}\``}`, ''];
  const about = description ? [`${description}.`, ''] : [];
  if (rows.length === 0) return [...title, ...about];
  return [...title, ...about, '| key | value | default | meaning |', '|---|---|---|---|', ...rows, ''];
}

/** What may be written, in a few words. */
function kind(schema: JsonSchema): string {
  const { type, enum: values, const: only, properties, additionalProperties, items, anyOf, oneOf } = schema;
  if (only !== undefined) return code(only);
  if (values) return values.map(code).join(', ');
  if (additionalProperties) return 'by name: see below';
  const options = anyOf ?? oneOf;
  if (options)
    return options.some((option) => option.properties) ? 'see below' : [...new Set(options.map(kind))].join(' or ');
  if (properties) return 'see below';
  if (schema.pattern === DURATION_PATTERN.source) return 'duration';
  if (items) return items.properties || items.oneOf ? 'list: see below' : `list of ${kind(items)}`;
  return `${[type].flat().join(' or ')}${range(schema)}`;
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const from = minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? null : `from ${minimum}`;
  const to = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? null : `to ${maximum}`;
  const above = exclusiveMinimum === undefined ? null : `above ${exclusiveMinimum}`;
  const under = exclusiveMaximum === undefined ? null : `below ${exclusiveMaximum}`;
  const parts = [from, above, to, under].filter((part) => part !== null);
  return parts.length === 0 ? '' : ` ${parts.join(' ')}`;
}

const isObject = (value: unknown): boolean => typeof value === 'object' && !Array.isArray(value);
const cell = (text: string): string => text.replaceAll('|', '\\|');
const code = (value: unknown): string =>
  `\`${cell(typeof value === 'string' && value !== '' ? value : JSON.stringify(value))}\``;
