/** Fixtures that ask the client back: for a form, a completion of its model, or its roots. */
import type { RawContext, RawHandler, RawResult } from '../../implement.ts';
import { elicited, field, rooted, sampled } from './answers.ts';
import { ask, elicit, roots, sample, say } from './results.ts';

const text = { type: 'string' };
const askName = elicit('What is your name?', { name: text }, ['name']);

export const askingFixtures: Readonly<Record<string, RawHandler>> = {
  async test_sampling({ prompt }, { client }) {
    const said = sampled(client, 's');
    return said === undefined ? ask({ s: sample(String(prompt)) }) : say(`LLM response: ${said}`);
  },
  test_elicitation: async ({ message }, context) =>
    form(context, String(message), {
      username: { type: 'string', description: "User's response" },
      email: { type: 'string', description: "User's email address" },
    }),
  test_elicitation_sep1034_defaults: async (_input, context) =>
    form(context, 'Every field has a default', {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    }),
  test_elicitation_sep1330_enums: async (_input, context) =>
    form(context, 'Every kind of choice', enums),
  async test_missing_capability(_input, { client }) {
    return sampled(client, 'q') === undefined ? ask({ q: sample('ping', 8) }) : say('sampled');
  },
  async test_input_required_result_elicitation(_input, { client }) {
    const name = field(client, 'user_name', 'name');
    return name === undefined ? ask({ user_name: askName }) : say(`Hello, ${name}!`);
  },
  async test_input_required_result_sampling(_input, { client }) {
    const said = sampled(client, 'capital_question');
    const question = sample('What is the capital of France?');
    return said === undefined ? ask({ capital_question: question }) : say(said);
  },
  async test_input_required_result_list_roots(_input, { client }) {
    const found = rooted(client, 'client_roots');
    return found ? say(JSON.stringify(found.roots)) : ask({ client_roots: roots });
  },
  test_input_required_result_request_state: async (_input, context) => remember(context),
  test_input_required_result_tampered_state: async (_input, context) => remember(context),
  async test_input_required_result_multiple_inputs(_input, { client }) {
    const answered =
      elicited(client, 'user_name') &&
      sampled(client, 'greeting') &&
      rooted(client, 'client_roots');
    if (answered && client.requestState !== undefined) return say('All inputs received');
    const greeting = sample('Generate a greeting', 50);
    return ask({ user_name: askName, greeting, client_roots: roots }, 'first');
  },
  async test_input_required_result_multi_round(_input, { client }) {
    const [step, name] = (client.requestState ?? '').split(' ');
    if (step === 'second') return say(`${name} likes ${field(client, 'step2', 'color')}`);
    if (step !== 'first')
      return ask({ step1: elicit('Step 1: your name?', { name: text }) }, 'first');
    const color = elicit('Step 2: your favorite color?', { color: text }, ['color']);
    return ask({ step2: color }, `second ${field(client, 'step1', 'name')}`);
  },
  async test_input_required_result_capabilities(_input, { client }) {
    const questions = {
      ...(client.capabilities['sampling'] ? { q: sample('hi', 8) } : {}),
      ...(client.capabilities['elicitation'] ? { user_name: askName } : {}),
    };
    return Object.keys(questions).length > 0 ? ask(questions) : say('Nothing can be asked');
  },
};

function form({ client }: RawContext, message: string, properties: object): RawResult {
  const given = elicited(client, 'e');
  if (!given) return ask({ e: elicit(message, properties) });
  return say(
    `Elicitation completed: action=${given.action}, content=${JSON.stringify(given.content)}`,
  );
}

function remember({ client }: RawContext): RawResult {
  if (client.requestState === 'asked') return say('state-ok');
  return ask({ confirm: elicit('Please confirm', { ok: { type: 'boolean' } }, ['ok']) }, 'asked');
}

const options = ['option1', 'option2', 'option3'];
const titled = ['First', 'Second', 'Third'];
const enums = {
  untitledSingle: { type: 'string', enum: options },
  titledSingle: {
    type: 'string',
    oneOf: titled.map((title, i) => ({ const: `value${i + 1}`, title: `${title} Option` })),
  },
  legacyEnum: {
    type: 'string',
    enum: ['opt1', 'opt2', 'opt3'],
    enumNames: ['Option One', 'Option Two', 'Option Three'],
  },
  untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
  titledMulti: {
    type: 'array',
    items: {
      anyOf: titled.map((title, i) => ({ const: `value${i + 1}`, title: `${title} Choice` })),
    },
  },
};
