/**
 * DynamoDB expressions, tokens -> trees. Placeholders stay in the trees, so that one parse serves
 * every request with the same text.
 */
import { invalid } from '../aws-error.ts';
import { syntaxError, tokenize, type Token } from './expression-lexer.ts';
import { isReserved } from './reserved-words.ts';

/** Attribute names and list indexes from the item down; a name may be a #placeholder. */
export type Path = readonly (string | number)[];

export type Operand =
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'value'; readonly placeholder: string }
  | { readonly kind: 'call'; readonly name: string; readonly operands: readonly Operand[] };

export type Comparator = '=' | '<>' | '<' | '<=' | '>' | '>=';

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly inner: Condition }
  | {
      readonly kind: 'compare';
      readonly by: Comparator;
      readonly left: Operand;
      readonly right: Operand;
    }
  | {
      readonly kind: 'between';
      readonly subject: Operand;
      readonly low: Operand;
      readonly high: Operand;
    }
  | { readonly kind: 'in'; readonly subject: Operand; readonly list: readonly Operand[] }
  | { readonly kind: 'test'; readonly name: string; readonly operands: readonly Operand[] };

/** Operand counts of the functions that are conditions by themselves. */
const testArity: Readonly<Record<string, number>> = {
  attribute_exists: 1,
  attribute_not_exists: 1,
  attribute_type: 2,
  begins_with: 2,
  contains: 2,
};

const comparators: ReadonlySet<string> = new Set(['=', '<>', '<', '<=', '>', '>=']);

export class ExpressionParser {
  readonly names = new Set<string>();
  readonly values = new Set<string>();
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(expression: string) {
    this.#tokens = tokenize(expression);
    if (this.#tokens.length === 0)
      throw invalid('Invalid expression: The expression can not be empty;');
  }

  get done(): boolean {
    return this.#position >= this.#tokens.length;
  }

  /** @throws {AwsError} unless every token has been read. */
  end(): void {
    if (!this.done) throw this.#error();
  }

  /** Reads the keyword, in any case, if it is next. */
  keyword(word: string): boolean {
    const token = this.#tokens[this.#position];
    if (token?.kind !== 'word' || token.text.toUpperCase() !== word) return false;
    this.#position += 1;
    return true;
  }

  /** Reads the punctuation if it is next. */
  punctuation(text: string): boolean {
    const token = this.#tokens[this.#position];
    if (token?.kind !== 'punctuation' || token.text !== text) return false;
    this.#position += 1;
    return true;
  }

  expect(text: string): void {
    if (!this.punctuation(text)) throw this.#error();
  }

  path(): Path {
    const path: (string | number)[] = [];
    do {
      path.push(this.#attribute());
      while (this.punctuation('[')) {
        const token = this.#take('index');
        path.push(Number(token.text));
        this.expect(']');
      }
    } while (this.punctuation('.'));
    return path;
  }

  value(): Operand {
    const { text } = this.#take('value');
    this.values.add(text);
    return { kind: 'value', placeholder: text };
  }

  operand(): Operand {
    const token = this.#tokens[this.#position];
    if (token?.kind === 'value') return this.value();
    const following = this.#tokens[this.#position + 1];
    if (token?.kind !== 'word' || following?.text !== '(')
      return { kind: 'path', path: this.path() };
    this.#position += 2;
    return { kind: 'call', name: token.text, operands: this.#operands() };
  }

  condition(): Condition {
    let left = this.#conjunction();
    while (this.keyword('OR')) left = { kind: 'or', left, right: this.#conjunction() };
    return left;
  }

  #conjunction(): Condition {
    let left = this.#negation();
    while (this.keyword('AND')) left = { kind: 'and', left, right: this.#negation() };
    return left;
  }

  #negation(): Condition {
    return this.keyword('NOT') ? { kind: 'not', inner: this.#negation() } : this.#term();
  }

  #term(): Condition {
    if (this.punctuation('(')) {
      const inner = this.condition();
      this.expect(')');
      return inner;
    }
    const subject = this.operand();
    if (this.keyword('BETWEEN')) {
      const low = this.operand();
      if (!this.keyword('AND')) throw this.#error();
      return { kind: 'between', subject, low, high: this.operand() };
    }
    if (this.keyword('IN')) {
      this.expect('(');
      return { kind: 'in', subject, list: this.#operands() };
    }
    const by = this.#comparator();
    if (by) return { kind: 'compare', by, left: subject, right: this.operand() };
    if (subject.kind !== 'call') throw this.#error();
    return toTest(subject.name, subject.operands);
  }

  #comparator(): Comparator | undefined {
    const token = this.#tokens[this.#position];
    if (token?.kind !== 'punctuation' || !isComparator(token.text)) return undefined;
    this.#position += 1;
    return token.text;
  }

  /** The rest of a list whose opening parenthesis has been read. */
  #operands(): readonly Operand[] {
    const operands = [this.operand()];
    while (this.punctuation(',')) operands.push(this.operand());
    this.expect(')');
    return operands;
  }

  #attribute(): string {
    const token = this.#tokens[this.#position];
    if (token?.kind === 'name') {
      this.#position += 1;
      this.names.add(token.text);
      return token.text;
    }
    const { text } = this.#take('word');
    if (isReserved(text)) {
      throw invalid(
        `Invalid expression: Attribute name is a reserved keyword; reserved keyword: ${text}`,
      );
    }
    return text;
  }

  #take(kind: Token['kind']): Token {
    const token = this.#tokens[this.#position];
    if (token?.kind !== kind) throw this.#error();
    this.#position += 1;
    return token;
  }

  #error(): Error {
    return syntaxError(this.#tokens[this.#position]?.text ?? '');
  }
}

function toTest(name: string, operands: readonly Operand[]): Condition {
  const arity = Object.hasOwn(testArity, name) ? testArity[name] : undefined;
  if (arity === undefined) {
    throw invalid(`Invalid expression: Invalid function name; function: ${name}`);
  }
  if (operands.length !== arity) {
    throw invalid(
      `Invalid expression: Incorrect number of operands for operator or function; operator or function: ${name}, number of operands: ${operands.length}`,
    );
  }
  return { kind: 'test', name, operands };
}

function isComparator(text: string): text is Comparator {
  return comparators.has(text);
}
