/**
 * What the official MCP conformance suite expects to find by name: tools whose handlers run in the
 * worker like any other, and two hidden ones behind its resources and prompts. Offered with
 * `AGENT_MESH_CONFORMANCE` alone. None of them touches AWS.
 */
import { z } from 'zod';
import type { ToolContract } from '../contract.ts';
import { jsonSchema2020 } from './json-schema-2020.ts';

const text = { type: 'string' };

function fixture(
  name: string,
  properties: Readonly<Record<string, unknown>> = {},
  more: Partial<ToolContract> & { readonly required?: readonly string[] } = {},
): ToolContract {
  const { required, ...rest } = more;
  return {
    name,
    title: name,
    description: `Fixture of the conformance suite: ${name}`,
    input: z.looseObject({}),
    output: z.object({}),
    effect: 'read',
    quotaCost: 1,
    raw: { inputSchema: { type: 'object', properties, ...(required && { required }) } },
    ...rest,
  };
}

const all = [
  fixture('test_simple_text'),
  fixture('test_image_content'),
  fixture('test_audio_content'),
  fixture('test_embedded_resource'),
  fixture('test_multiple_content_types'),
  fixture('test_error_handling'),
  fixture('test_tool_with_progress'),
  fixture('test_tool_with_logging'),
  fixture('test_sampling', { prompt: text }, { required: ['prompt'] }),
  fixture('test_elicitation', { message: text }, { required: ['message'] }),
  fixture('test_elicitation_sep1034_defaults'),
  fixture('test_elicitation_sep1330_enums'),
  fixture('json_schema_2020_12_tool', {}, { raw: { inputSchema: jsonSchema2020 } }),
  fixture('test_x_mcp_header', {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    level: { type: 'integer' },
  }),
  fixture('test_missing_capability'),
  fixture('test_streaming_elicitation'),
  fixture('test_logging_tool'),
  fixture('test_trigger_tool_change'),
  fixture('test_trigger_prompt_change'),
  fixture('test_input_required_result_elicitation'),
  fixture('test_input_required_result_sampling'),
  fixture('test_input_required_result_list_roots'),
  fixture('test_input_required_result_request_state'),
  fixture('test_input_required_result_multiple_inputs'),
  fixture('test_input_required_result_multi_round'),
  fixture('test_input_required_result_tampered_state'),
  fixture('test_input_required_result_capabilities'),
  fixture('greet', { name: text }, { required: ['name'] }),
  fixture('slow_compute', { seconds: { type: 'number' } }, { task: 'always' }),
  fixture('failing_job', {}, { task: 'required' }),
  fixture('protocol_error_job', {}, { task: 'always' }),
  fixture('confirm_delete', { filename: text }, { task: 'always' }),
  fixture('multi_input', {}, { task: 'always' }),
  fixture('test_tool_with_task', {}, { task: 'answered' }),
  fixture('test_read_resource', { uri: text }, { hidden: true }),
  fixture('test_get_prompt', { name: text, arguments: { type: 'object' } }, { hidden: true }),
];

export const conformanceContracts: Readonly<Record<string, ToolContract>> = Object.fromEntries(
  all.map((contract) => [contract.name, contract]),
);
