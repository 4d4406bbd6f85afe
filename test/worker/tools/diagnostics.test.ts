import { describe, expect, test } from 'vitest';
import { tools } from '../../../services/worker/tools.ts';
import { Fault } from '../../../shared/faults.ts';
import { runTool } from './run-tool.ts';

describe('diagnostics', () => {
  test('echo returns its text', async () => {
    expect(await runTool(tools.diagnostics_echo, { text: 'ž🐎\n' })).toEqual({ text: 'ž🐎\n' });
  });

  test('sleep takes the time it was given', async () => {
    const begun = performance.now();
    expect(await runTool(tools.diagnostics_sleep, { ms: 30 })).toEqual({ slept: 30 });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(29);
  });

  test('sleep ends at once when it is stopped, before or during', async () => {
    const stop = new AbortController();
    const { signal } = stop;
    const begun = performance.now();
    const asleep = runTool(tools.diagnostics_sleep, { ms: 600_000 }, { signal });
    stop.abort(new Fault('cancelled', 'Enough.'));
    await expect(asleep).rejects.toThrow('Enough.');
    await expect(runTool(tools.diagnostics_sleep, { ms: 600_000 }, { signal })).rejects.toThrow(
      'Enough.',
    );
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});
