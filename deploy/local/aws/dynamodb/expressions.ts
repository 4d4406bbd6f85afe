/** Parsed expressions, kept by their text: a program sends the same few over and over. */
import { ExpressionParser, type Condition, type Path } from './expression-parser.ts';
import type { Placeholders, Uses } from './placeholders.ts';
import { refuseOverlaps } from './document-path.ts';
import { parseUpdate, type Update } from './updates.ts';

export interface ParsedCondition extends Uses {
  readonly condition: Condition;
}

export interface ParsedProjection extends Uses {
  readonly paths: readonly Path[];
}

const maxKept = 1_000;

/** `parse` with a memory; an absent expression parses to undefined. */
function remembering<T>(parse: (expression: string) => T) {
  const kept = new Map<string, T>();
  return (expression: string | undefined): T | undefined => {
    if (expression === undefined) return undefined;
    const known = kept.get(expression);
    if (known !== undefined) return known;
    const parsed = parse(expression);
    if (kept.size >= maxKept) kept.clear();
    kept.set(expression, parsed);
    return parsed;
  };
}

export const conditionOf = remembering((expression): ParsedCondition => {
  const parser = new ExpressionParser(expression);
  const condition = parser.condition();
  parser.end();
  return { condition, names: parser.names, values: parser.values };
});

export const projectionOf = remembering((expression): ParsedProjection => {
  const parser = new ExpressionParser(expression);
  const paths = [parser.path()];
  while (parser.punctuation(',')) paths.push(parser.path());
  parser.end();
  return { paths, names: parser.names, values: parser.values };
});

export const updateOf = remembering((expression): Update => parseUpdate(expression));

/** @throws {AwsError} if two of the paths overlap. */
export function boundPaths(
  projection: ParsedProjection | undefined,
  placeholders: Placeholders,
): readonly Path[] | undefined {
  if (!projection) return undefined;
  const paths = projection.paths.map((path) => placeholders.path(path));
  refuseOverlaps(paths, 'ProjectionExpression');
  return paths;
}
