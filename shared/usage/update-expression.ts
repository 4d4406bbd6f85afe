/** Puts a DynamoDB update together from clauses, giving out the placeholders. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';

export function createUpdate() {
  const names = new Map<string, string>();
  const values: Record<string, AttributeValue> = {};
  const set: string[] = [];
  const remove: string[] = [];
  const add: string[] = [];
  const conditions: string[] = [];

  const name = (attribute: string): string => {
    const placeholder = names.get(attribute) ?? `#${names.size}`;
    names.set(attribute, placeholder);
    return placeholder;
  };
  const value = (given: AttributeValue): string => {
    const placeholder = `:${Object.keys(values).length}`;
    values[placeholder] = given;
    return placeholder;
  };
  const number = (given: number): string => value({ N: String(given) });

  return {
    name,
    number,
    set: (attribute: string, given: AttributeValue) =>
      void set.push(`${name(attribute)} = ${value(given)}`),
    remove: (attribute: string) => void remove.push(name(attribute)),
    /** Adding nothing is left out. */
    add(attribute: string, given: number): void {
      if (given !== 0) add.push(`${name(attribute)} ${number(given)}`);
    },
    require: (condition: string) => void conditions.push(condition),
    toInput: () => ({
      UpdateExpression: [
        ...clause('SET', set),
        ...clause('REMOVE', remove),
        ...clause('ADD', add),
      ].join(' '),
      ...(conditions.length === 0 ? {} : { ConditionExpression: conditions.join(' AND ') }),
      ExpressionAttributeNames: Object.fromEntries(
        [...names].map(([attribute, placeholder]) => [placeholder, attribute]),
      ),
      ExpressionAttributeValues: values,
    }),
  };
}

export type Update = ReturnType<typeof createUpdate>;

function clause(keyword: string, parts: readonly string[]): string[] {
  return parts.length === 0 ? [] : [`${keyword} ${parts.join(', ')}`];
}
