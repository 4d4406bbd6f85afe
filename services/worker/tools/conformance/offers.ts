/** What is behind the suite's resources and prompts. Their results are those of the two methods. */
import { z } from 'zod';
import { Fault } from '../../../../shared/faults.ts';
import type { RawHandler, RawResult } from '../../implement.ts';
import { field } from './answers.ts';
import { ask, elicit, png } from './results.ts';

const Prompt = z.object({
  name: z.string(),
  arguments: z.record(z.string(), z.string()).default({}),
});

export const offerFixtures: Readonly<Record<string, RawHandler>> = {
  async test_read_resource({ uri }) {
    const contents = read(String(uri));
    if (contents) return { contents: [{ uri, ...contents }] };
    throw new Fault('invalid_arguments', 'No such resource');
  },
  async test_get_prompt(input, { client }) {
    const { name, arguments: given } = Prompt.parse(input);
    if (name !== 'test_input_required_result_prompt') return prompt(name, given);
    const context = field(client, 'user_context', 'context');
    if (context !== undefined) return messages(spoken(`Use ${context}`));
    const question = 'What context should the prompt use?';
    return ask({ user_context: elicit(question, { context: { type: 'string' } }, ['context']) });
  },
};

function read(uri: string): object | undefined {
  switch (uri) {
    case 'test://static-text':
      return { mimeType: 'text/plain', text: 'This is the content of the static text resource.' };
    case 'test://static-binary':
      return { mimeType: 'image/png', blob: png };
    case 'test://watched-resource':
      return { mimeType: 'text/plain', text: 'The content of the watched resource.' };
    default: {
      const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(uri) ?? [];
      if (id === undefined) return undefined;
      const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
      return { mimeType: 'application/json', text };
    }
  }
}

function prompt(name: string, given: Readonly<Record<string, string>>): RawResult {
  switch (name) {
    case 'test_simple_prompt':
      return messages(spoken('This is a simple prompt for testing.'));
    case 'test_prompt_with_arguments':
      return messages(
        spoken(`Prompt with arguments: arg1='${given['arg1']}', arg2='${given['arg2']}'`),
      );
    case 'test_prompt_with_embedded_resource': {
      const text = 'Embedded resource content for testing.';
      const resource = { uri: given['resourceUri'], mimeType: 'text/plain', text };
      return messages(
        { type: 'resource', resource },
        spoken('Please process the embedded resource above.'),
      );
    }
    case 'test_prompt_with_image':
      return messages(
        { type: 'image', data: png, mimeType: 'image/png' },
        spoken('Please analyze the image above.'),
      );
    default:
      throw new Fault('invalid_arguments', 'No such prompt');
  }
}

const spoken = (text: string): object => ({ type: 'text', text });

const messages = (...contents: readonly object[]): RawResult => ({
  messages: contents.map((content) => ({ role: 'user', content })),
});
