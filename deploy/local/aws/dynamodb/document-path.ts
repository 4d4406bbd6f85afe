/** Reading, writing and projecting along document paths such as `a.b[2]`. Items are never changed in place. */
import { invalid } from '../aws-error.ts';
import { emptyItem, type AttributeValue, type Item } from './attribute-value.ts';
import type { Path } from './expression-parser.ts';

export function valueAt(item: Item, path: Path): AttributeValue | undefined {
  let value: AttributeValue | undefined = { M: item };
  for (const step of path) {
    value = value && child(value, step);
    if (value === undefined) return undefined;
  }
  return value;
}

function child(parent: AttributeValue, step: string | number): AttributeValue | undefined {
  if (typeof step === 'number') return 'L' in parent ? parent.L[step] : undefined;
  return 'M' in parent ? parent.M[step] : undefined;
}

/**
 * The item with the value at `path`, or without what is there if `value` is undefined.
 * @throws {AwsError} if the way to the last step does not exist.
 */
export function withValueAt(item: Item, path: Path, value: AttributeValue | undefined): Item {
  const changed = replaceIn({ M: item }, path, value);
  return 'M' in changed ? changed.M : item;
}

function replaceIn(
  parent: AttributeValue,
  [step, ...rest]: Path,
  value: AttributeValue | undefined,
): AttributeValue {
  if (step === undefined) return parent;
  let next = value;
  if (rest.length > 0) {
    const inner = child(parent, step);
    if (inner === undefined) throw invalidPath();
    next = replaceIn(inner, rest, value);
  }
  if (typeof step === 'number') {
    if (!('L' in parent)) throw invalidPath();
    return { L: withElement(parent.L, step, next) };
  }
  if (!('M' in parent)) throw invalidPath();
  return { M: withAttribute(parent.M, step, next) };
}

function withAttribute(item: Item, name: string, value: AttributeValue | undefined): Item {
  const copy = Object.assign(emptyItem(), item);
  if (value === undefined) delete copy[name];
  else copy[name] = value;
  return copy;
}

/** An index past the end appends. */
function withElement(
  list: readonly AttributeValue[],
  index: number,
  value: AttributeValue | undefined,
): readonly AttributeValue[] {
  if (value === undefined) return list.filter((_, position) => position !== index);
  if (index >= list.length) return [...list, value];
  return list.with(index, value);
}

function invalidPath(): Error {
  return invalid('The document path provided in the update expression is invalid for update');
}

/** Only what the paths lead to; elements of lists close up. */
export function project(item: Item, paths: readonly Path[]): Item {
  const projected = projectFrom({ M: item }, paths);
  return projected && 'M' in projected ? projected.M : emptyItem();
}

function projectFrom(value: AttributeValue, paths: readonly Path[]): AttributeValue | undefined {
  if (paths.some((path) => path.length === 0)) return value;
  const byStep = Map.groupBy(paths, ([step]) => step ?? '');
  if ('M' in value) {
    const kept = emptyItem();
    for (const [step, below] of byStep) {
      const inner = typeof step === 'string' ? value.M[step] : undefined;
      const projected = inner && projectFrom(inner, tails(below));
      if (projected) kept[step] = projected;
    }
    return Object.keys(kept).length > 0 ? { M: kept } : undefined;
  }
  if (!('L' in value)) return undefined;
  const kept = value.L.flatMap((element, index) => {
    const below = byStep.get(index);
    return (below && projectFrom(element, tails(below))) ?? [];
  });
  return kept.length > 0 ? { L: kept } : undefined;
}

function tails(paths: readonly Path[]): readonly Path[] {
  return paths.map((path) => path.slice(1));
}

/** @throws {AwsError} if one path is another or leads through it. */
export function refuseOverlaps(paths: readonly Path[], expression: string): void {
  paths.forEach((path, index) => {
    for (const other of paths.slice(index + 1)) {
      const shared = Math.min(path.length, other.length);
      if (path.slice(0, shared).every((step, depth) => step === other[depth])) {
        throw invalid(
          `Invalid ${expression}: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [${path.join(', ')}], path two: [${other.join(', ')}]`,
        );
      }
    }
  });
}
