/** DynamoDB expressions, text -> tokens. */
import { invalid } from '../aws-error.ts';

export interface Token {
  /** `name`: #placeholder · `value`: :placeholder · `word`: attribute, keyword or function. */
  readonly kind: 'punctuation' | 'name' | 'value' | 'word' | 'index';
  readonly text: string;
}

const pattern =
  /\s*(?:(<>|<=|>=|[=<>(),.[\]+-])|(#[A-Za-z0-9_]+)|(:[A-Za-z0-9_]+)|([A-Za-z_][A-Za-z0-9_]*)|(\d+))/y;
const kinds = ['punctuation', 'name', 'value', 'word', 'index'] as const;

/** @throws {AwsError} at the first character that begins no token. */
export function tokenize(expression: string): readonly Token[] {
  const tokens: Token[] = [];
  const end = expression.trimEnd().length;
  let position = 0;
  while (position < end) {
    pattern.lastIndex = position;
    const match = pattern.exec(expression);
    if (!match) throw syntaxError(expression.slice(position, position + 10).trim());
    position = pattern.lastIndex;
    kinds.forEach((kind, index) => {
      const text = match[index + 1];
      if (text !== undefined) tokens.push({ kind, text });
    });
  }
  return tokens;
}

export function syntaxError(near: string): Error {
  return invalid(`Invalid expression: Syntax error; token: "${near || '<EOF>'}"`);
}
