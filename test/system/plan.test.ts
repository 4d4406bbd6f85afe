/** A tenants file against a running cluster: forecast, applied, taken back. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { callTool } from '../../deploy/local/first-call.ts';
import { mesh, useUp } from '../support/mesh.ts';

const mine = useUp('--diagnostics');

const run = (...args: string[]) => mesh(...args, '--data', mine.data);

async function file(perMinute: number, concurrency: number, status = 'active') {
  const path = join(mine.data, 'tenants.yaml');
  const limits = `{ requestsPerMinute: ${perMinute}, concurrency: ${concurrency} }`;
  await writeFile(
    path,
    `tenants: [{ id: acme, status: ${status}, limits: ${limits}, users: [{ id: ann }] }]`,
  );
  return path;
}

describe('a tenants file', { timeout: 120_000 }, () => {
  test('is weighed by what it would have done, and undone while calls hold to it at once', async () => {
    expect(await run('tenants', 'apply', await file(8, 2))).toMatchObject({ code: 0, stderr: '' });
    const apiKey = (await run('keys', 'create', '--tenant', 'acme', '--user', 'ann')).stdout.trim();
    const call = { mcp: mine.up.mcp, apiKey, tool: 'diagnostics_sleep', arguments: { ms: 300 } };
    const callTimes = (length: number) =>
      Promise.allSettled(Array.from({ length }, () => callTool(call)));
    // One after the other, or those refused would be recorded among those accepted.
    const calls = [...(await callTimes(8)), ...(await callTimes(3))];
    expect(calls.filter(({ status }) => status === 'fulfilled')).toHaveLength(8);

    const forecast = async (perMinute: number, cap: number) => {
      const { stdout } = await run('tenants', 'plan', await file(perMinute, cap), '--json');
      return JSON.parse(stdout).tenants[0].forecast;
    };
    await vi.waitFor(
      async () => expect((await forecast(3, 1)).rates).toMatchObject({ accepted: 8, refused: 3 }),
      { timeout: 30_000 },
    );
    const lower = await forecast(3, 1);
    expect(lower.rates).toMatchObject({ newlyRefused: 5, newlyAccepted: 0 });
    expect(lower.cap).toMatchObject({ calls: 8, mostRunning: 2 });
    expect(lower.cap.longerMs).toBeGreaterThan(1_000);
    const higher = await forecast(20, 8);
    expect(higher.rates).toMatchObject({ newlyRefused: 0, newlyAccepted: 3 });
    expect(higher.cap.shorterMs).toBeGreaterThan(1_000);

    const shown = await run('tenants', 'plan', await file(20, 8));
    expect(shown).toMatchObject({ code: 0, stderr: expect.not.stringContaining('error') });
    expect(shown.stdout).toMatch(/^acme +changed +limits.concurrency +2 +8$/m);
    expect(shown.stdout).toMatch(/^1 tenant: 1 changed\. 1 tenant not in the file: untouched\.$/m);

    await run('tenants', 'apply', await file(8, 2, 'suspended'));
    await expect(callTool(call)).rejects.toThrow('403');
    expect((await run('tenants', 'undo')).stdout).toMatch(/^Undid change \S+ of 1 tenant, by/);
    expect(await callTool(call)).toEqual({ slept: 300 });
    const { stdout } = await run('tenants', 'changes', '--json');
    const [undo, undone] = JSON.parse(stdout);
    expect(undo).toMatchObject({ what: `undo ${undone.id}`, by: 'operator', tenants: 1 });
    expect(undone).toMatchObject({ what: 'tenants file', 'undone by': undo.id });
    const audit = await run('audit', 'tail', '--tenant', 'acme');
    expect(audit.stdout).toContain(`tenants/update  undo ${undone.id}, change ${undo.id}`);
  });
});
