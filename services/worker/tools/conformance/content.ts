/** Fixtures that answer at once, with every kind of content, progress, and log messages. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../../../shared/faults.ts';
import type { RawHandler } from '../../implement.ts';
import { png, say, wav } from './results.ts';

const image = { type: 'image', data: png, mimeType: 'image/png' };
const pauseMs = 50;

export const contentFixtures: Readonly<Record<string, RawHandler>> = {
  test_simple_text: async () => say('This is a simple text response for testing.'),
  test_image_content: async () => ({ content: [image] }),
  test_audio_content: async () => ({
    content: [{ type: 'audio', data: wav, mimeType: 'audio/wav' }],
  }),
  test_embedded_resource: async () => ({
    content: [
      embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
    ],
  }),
  test_multiple_content_types: async () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      image,
      embedded(
        'test://mixed-content-resource',
        'application/json',
        JSON.stringify({ test: 'data', value: 123 }),
      ),
    ],
  }),
  test_error_handling: async () => {
    throw new Fault('tool_failed', 'This tool intentionally returns an error for testing');
  },
  async test_tool_with_progress(_input, context) {
    for (const done of [0, 50, 100]) {
      context.progress(done, 100);
      if (done < 100) await sleep(pauseMs);
    }
    return say('done');
  },
  async test_tool_with_logging(_input, context) {
    for (const each of ['started', 'processing data', 'completed']) {
      context.log('info', `Tool execution ${each}`);
      await sleep(pauseMs);
    }
    return say('logged');
  },
  async test_logging_tool(_input, context) {
    context.log('info', 'A message of the logging tool');
    return say('logged');
  },
  json_schema_2020_12_tool: async (input) => say(JSON.stringify(input)),
  test_x_mcp_header: async ({ region }) => say(`region=${JSON.stringify(region)}`),
  test_streaming_elicitation: async () => say('No requests of its own on the stream'),
  async test_trigger_tool_change(_input, context) {
    context.announce({ kind: 'tools' });
    return say('announced');
  },
  async test_trigger_prompt_change(_input, context) {
    context.announce({ kind: 'prompts' });
    return say('announced');
  },
};

function embedded(uri: string, mimeType: string, text: string): object {
  return { type: 'resource', resource: { uri, mimeType, text } };
}
