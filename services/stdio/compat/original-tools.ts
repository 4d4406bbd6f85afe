/**
 * The six tools of mcp-rust: how it lists them, what it checks of their arguments and in which
 * order, and what the same call is in our terms.
 */
import { isJson, type Json } from '../message.ts';
import { checkBase64 } from './base64.ts';
import { invalidArguments } from './original-error.ts';

export interface OriginalTool {
  readonly description: string;
  /** As the original spells it. */
  readonly permission: string;
  readonly inputSchema: Json;
  /** The arguments of our tool of the same name. @throws {OriginalError} */
  readonly toArguments: (given: unknown) => Json;
}

export const originalTools: ReadonlyMap<string, OriginalTool> = new Map([
  [
    'kv_get',
    {
      description: 'Get a value from the key-value store',
      permission: 'ReadKV',
      inputSchema: schema({ key: text('The key to retrieve') }, ['key']),
      toArguments: (given: unknown) => ({ key: textOf(given, 'key') }),
    },
  ],
  [
    'kv_set',
    {
      description: 'Set a value in the key-value store',
      permission: 'WriteKV',
      inputSchema: schema(
        {
          key: text('The key to set'),
          value: text('The value to store'),
          ttl_hours: { type: 'number', description: 'Time to live in hours (default: 24)' },
        },
        ['key', 'value'],
      ),
      toArguments: (given: unknown) => ({
        key: textOf(given, 'key'),
        value: textOf(given, 'value'),
        ttl_hours: hoursIn(given),
      }),
    },
  ],
  [
    'artifacts_get',
    {
      description: 'Get an artifact by key',
      permission: 'GetArtifacts',
      inputSchema: schema({ key: text('The artifact key to retrieve') }, ['key']),
      toArguments: (given: unknown) => ({ key: textOf(given, 'key') }),
    },
  ],
  [
    'artifacts_put',
    {
      description: 'Store an artifact',
      permission: 'PutArtifacts',
      inputSchema: schema(
        {
          key: text('The artifact key'),
          content: text('The artifact content (base64 encoded)'),
          content_type: text('The content type (default: text/plain)'),
        },
        ['key', 'content'],
      ),
      toArguments: (given: unknown) => ({
        key: textOf(given, 'key'),
        content: base64Of(given, 'content'),
        content_type: optionalText(given, 'content_type') ?? 'text/plain',
      }),
    },
  ],
  [
    'artifacts_list',
    {
      description: 'List artifacts with optional prefix',
      permission: 'ListArtifacts',
      inputSchema: schema({ prefix: text('Optional prefix to filter artifacts') }),
      toArguments: (given: unknown) => {
        const prefix = optionalText(given, 'prefix');
        return prefix === undefined ? {} : { prefix };
      },
    },
  ],
  [
    'events_send',
    {
      description: 'Send an event',
      permission: 'SendEvents',
      inputSchema: schema(
        {
          detailType: text('The event type'),
          detail: { type: 'object', description: 'The event details' },
        },
        ['detailType', 'detail'],
      ),
      toArguments: (given: unknown) => ({
        detailType: textOf(given, 'detailType'),
        detail: presentIn(given, 'detail'),
      }),
    },
  ],
]);

function schema(properties: Json, required?: readonly string[]): Json {
  return { type: 'object', properties, ...(required && { required }) };
}

function text(description: string): Json {
  return { type: 'string', description };
}

function optionalText(given: unknown, name: string): string | undefined {
  const value = isJson(given) ? given[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** To the original a value of another type is missing. */
function textOf(given: unknown, name: string): string {
  const value = optionalText(given, name);
  if (value === undefined) throw invalidArguments(`Missing '${name}' parameter`);
  return value;
}

function presentIn(given: unknown, name: string): unknown {
  const value = isJson(given) ? given[name] : undefined;
  if (value === undefined) throw invalidArguments(`Missing '${name}' parameter`);
  return value;
}

function base64Of(given: unknown, name: string): string {
  const value = textOf(given, name);
  const problem = checkBase64(value);
  if (problem !== undefined) throw invalidArguments(`Invalid base64 content: ${problem}`);
  return value;
}

/**
 * Whatever its schema says, the original lets a value stay for ever unless it is given whole hours.
 * To us, 0 says that; to it, 0 hours are over at once, which nobody can have relied on.
 */
function hoursIn(given: unknown): number {
  const value = isJson(given) ? given['ttl_hours'] : undefined;
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
