// Reads the repository's Dockerfile as Docker does, as far as it uses the language: stages and their instructions.
// The specs of the image run and check what it really says.
import { readFileSync } from 'node:fs';

export interface Instruction {
  /** In capitals: COPY, RUN, ... */
  readonly keyword: string;
  /** `--from=build` is `{from: 'build'}`. */
  readonly flags: Readonly<Record<string, string>>;
  /** What follows the flags. */
  readonly text: string;
}

export interface Stage {
  readonly from: string;
  readonly name: string | null;
  readonly instructions: readonly Instruction[];
}

/** Splits off leading `--name=value` words. */
function parseInstruction(line: string): Instruction {
  const [, keyword = '', rest = ''] = /^(\S+)\s+(.*)$/s.exec(line) ?? [];
  const [leading = ''] = /^(--\S+\s+)*/.exec(rest) ?? [];
  const pairs = leading.split(/\s+/).filter(Boolean);
  const flags = pairs.map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(2, at), pair.slice(at + 1)] as const;
  });
  return { keyword: keyword.toUpperCase(), flags: Object.fromEntries(flags), text: rest.slice(leading.length).trim() };
}

/** The stages of a Dockerfile's text, in order; the last one is the image. */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n');
  const stages: { from: string; name: string | null; instructions: Instruction[] }[] = [];
  for (const line of lines.filter((one) => one.trim() !== '')) {
    const instruction = parseInstruction(line.trim());
    if (instruction.keyword !== 'FROM') {
      stages.at(-1)!.instructions.push(instruction);
      continue;
    }
    const [from = '', , name = null] = instruction.text.split(/\s+/);
    stages.push({ from, name, instructions: [] });
  }
  return stages;
}

/** The repository's Dockerfile, with what the specs ask of its last stage. */
export class ImageFile {
  readonly stages = parseDockerfile(readFileSync('Dockerfile', 'utf8'));
  readonly final = this.stages.at(-1)!;

  stage(name: string): Stage {
    const found = this.stages.find((stage) => stage.name === name);
    if (!found) throw new Error(`the Dockerfile has no stage ${name}`);
    return found;
  }

  /** The instructions of a stage with one keyword, those of the stages it is built from first. */
  all(stage: Stage, keyword: string): Instruction[] {
    const below = this.stages.find(({ name }) => name === stage.from);
    const own = stage.instructions.filter((instruction) => instruction.keyword === keyword);
    return [...(below ? this.all(below, keyword) : []), ...own];
  }

  /** The last one of the final stage, which is what counts for CMD, USER and HEALTHCHECK. */
  last(keyword: string): Instruction {
    const found = this.all(this.final, keyword).at(-1);
    if (!found) throw new Error(`the image has no ${keyword}`);
    return found;
  }

  /** The words of CMD or HEALTHCHECK in their JSON form. */
  words(keyword: 'CMD' | 'HEALTHCHECK'): string[] {
    return JSON.parse(this.last(keyword).text.replace(/^CMD\s+/, '')) as string[];
  }

  /** ENV of the final stage. */
  get environment(): Record<string, string> {
    const pairs = this.all(this.final, 'ENV').map(({ text }) => text.split('=', 2) as [string, string]);
    return Object.fromEntries(pairs);
  }
}
