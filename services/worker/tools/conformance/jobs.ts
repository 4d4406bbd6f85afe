/** Fixtures of the tasks extension. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { RawHandler } from '../../implement.ts';
import { elicited, field } from './answers.ts';
import { ask, elicit, say } from './results.ts';

const Seconds = z.number().min(0).max(600).catch(1);

const confirm = (message: string) => elicit(message, { confirm: { type: 'boolean' } });

export const jobFixtures: Readonly<Record<string, RawHandler>> = {
  greet: async ({ name }) => say(`Hello, ${String(name)}!`),
  async slow_compute({ seconds }, { signal }) {
    const given = Seconds.parse(seconds);
    await sleep(given * 1_000, undefined, { signal });
    return say(`Computed for ${given} s`);
  },
  failing_job: async () => ({ ...say('The job failed'), isError: true }),
  protocol_error_job: async () => {
    throw new Error('A failure that has no result');
  },
  async confirm_delete({ filename }, { client }) {
    const given = elicited(client, 'confirm');
    if (!given) return ask({ confirm: confirm(`Delete ${String(filename)}?`) });
    return say(`${given.action}: ${String(filename)}`);
  },
  async multi_input(_input, { client }) {
    const [first, second] = [elicited(client, 'first'), elicited(client, 'second')];
    if (first && second) return say(`${first.action}, ${second.action}`);
    return ask({ first: confirm('The first?'), second: confirm('The second?') });
  },
  async test_tool_with_task(_input, { client }) {
    const name = field(client, 'user_name', 'name');
    if (name !== undefined) return say(`Hello, ${name}!`);
    return ask({ user_name: elicit('What is your name?', { name: { type: 'string' } }, ['name']) });
  },
};
