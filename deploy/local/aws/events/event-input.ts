/** What a target of a rule receives: the event, a part of it, a constant, or a template filled from it. */
import { z } from 'zod';
import { isObject } from './event-pattern.ts';

export const TargetInput = z.object({
  Input: z.string().optional(),
  InputPath: z.string().optional(),
  InputTransformer: z
    .strictObject({
      InputPathsMap: z.record(z.string(), z.string()).optional(),
      InputTemplate: z.string().max(8_192),
    })
    .optional(),
});

export function targetInput(
  { Input, InputPath, InputTransformer }: z.output<typeof TargetInput>,
  event: unknown,
  ruleName: string,
): string {
  if (Input !== undefined) return Input;
  if (InputPath !== undefined) return JSON.stringify(valueAt(event, InputPath) ?? null);
  if (!InputTransformer) return JSON.stringify(event);
  const { InputPathsMap = {}, InputTemplate } = InputTransformer;
  return InputTemplate.replace(/<([^<>]+)>/g, (_, name: string, offset: number) => {
    const path = Object.hasOwn(InputPathsMap, name) ? InputPathsMap[name] : undefined;
    const value = path === undefined ? predefined(name, event, ruleName) : valueAt(event, path);
    return fill(value, isQuoted(InputTemplate, offset));
  });
}

function predefined(name: string, event: unknown, ruleName: string): unknown {
  if (name === 'aws.events.rule-name') return ruleName;
  return name === 'aws.events.event.json' ? event : undefined;
}

/** A value inside quotes of the template is text; outside them it brings its own. */
function fill(value: unknown, quoted: boolean): string {
  if (value === undefined) return '';
  const json = JSON.stringify(value);
  if (!quoted) return json;
  return typeof value === 'string' ? json.slice(1, -1) : JSON.stringify(json).slice(1, -1);
}

function isQuoted(template: string, offset: number): boolean {
  const before = template.slice(0, offset).match(/(?<!\\)"/g) ?? [];
  return before.length % 2 === 1;
}

/** Paths such as `$.detail.list[0]`. */
function valueAt(event: unknown, path: string): unknown {
  let value = event;
  for (const [step] of path.replace(/^\$/, '').matchAll(/[^.[\]]+/g)) {
    if (Array.isArray(value)) value = value[Number(step)];
    else value = isObject(value) ? value[step] : undefined;
  }
  return value;
}
