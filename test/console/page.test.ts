import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildConsole } from '../../deploy/local/console.ts';
import { callTool } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';
import { addAdmin } from './admins.ts';
import { noBrowser, signIn, startBrowser, type Browser } from './browser.ts';
import { addTenants } from './many-tenants.ts';

const tenants = `
tenants:
  - { id: acme, name: Acme Tools, limits: { concurrency: 3 }, users: [{ id: ann, role: Admin }] }
`;
const many = 10_000;
const slow = { timeout: 20_000 };

describe.skipIf(noBrowser !== undefined)(
  `the page of the console${noBrowser === undefined ? '' : ` (skipped: ${noBrowser})`}`,
  // A browser on a busy machine takes its time.
  { timeout: 60_000 },
  () => {
    let cluster: TestCluster;
    let browser: Browser;
    let admin: string;
    let tokens: { operator: string; viewer: string };

    beforeAll(async () => {
      await buildConsole();
      [cluster, browser] = await Promise.all([
        startTestCluster({ tenants, workers: 2, diagnostics: true }),
        startBrowser(),
      ]);
      admin = cluster.ingresses[0]?.ready.admin ?? '';
      tokens = {
        operator: await addAdmin(cluster, 'olga', 'operator'),
        viewer: await addAdmin(cluster, 'vera', 'viewer'),
      };
      await addTenants(cluster, many);
    }, 120_000);
    afterAll(async () => {
      await browser?.[Symbol.asyncDispose]();
      await cluster?.[Symbol.asyncDispose]();
    });

    async function open(
      hash: string,
      as: 'operator' | 'viewer' = 'operator',
      look: Parameters<Browser['open']>[1] = {},
    ): Promise<Page> {
      const page = await browser.open(`${admin}/${hash}`, look);
      await signIn(page, tokens[as]);
      return page;
    }

    test('refuses a token that is not known, and lets in with one that is', async () => {
      const page = await browser.open(admin);
      await page.getByLabel('Admin token').fill('ama_wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('This token is not known.').waitFor();
      await signIn(page, tokens.viewer);
      await page.getByRole('heading', { name: 'Cluster', level: 1 }).waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Admin token').waitFor();
    });

    test('finds one of ten thousand tenants, and sorts all of them by what they do now', async () => {
      const page = await open('#/tenants');
      await page.getByText('10,002 of 10,002 tenants').waitFor();
      await page.getByLabel('Search by id or name').fill('customer 0777');
      await page.getByText('1 of 10,002 tenants').waitFor();
      await page.getByRole('rowheader', { name: 'tenant-0777' }).waitFor();

      await page.getByLabel('Search by id or name').fill('');
      const ann = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'ann') };
      const calls = [1, 2, 3, 4].map(() => callTool(ann, 'diagnostics_sleep', { ms: 4_000 }));
      await page.getByRole('button', { name: 'Waiting' }).click();
      const first = page.getByRole('row').nth(1);
      await expect.poll(() => first.innerText(), slow).toMatch(/^acme\s+Acme Tools\s+3 of 3\s+1\s/);
      await Promise.all(calls);
      await page.getByRole('button', { name: 'Next' }).click();
      await page.getByText('Page 2 of 201').waitFor();
    });

    test('changes a limit after asking, by keyboard alone, and shows it in the audit', async () => {
      const page = await open('#/tenants/acme');
      const button = page.getByRole('button', { name: 'Change limits' });
      await button.focus();
      await page.keyboard.press('Enter');
      await page.getByLabel('Running at once').fill('5');
      await page.keyboard.press('Enter');
      const dialog = page.getByRole('dialog', { name: 'Change the limits of acme?' });
      await dialog.waitFor();
      expect(await dialog.innerText()).toContain('limits.concurrency=5');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.getByText('Changed: limits.concurrency=5. Version 2.').waitFor();
      const audited = page.getByRole('row', {
        name: /olga \(console\) tenants\/update limits\.concurrency=5/,
      });
      await audited.waitFor();
      await page.getByRole('progressbar', { name: 'Running at once' }).waitFor();
      await expect.poll(() => page.getByText('0 of 5').count(), slow).toBe(1);
    });

    test('offers a viewer nothing to change', async () => {
      const page = await open('#/tenants/acme', 'viewer');
      await page.getByRole('heading', { name: 'Limits' }).waitFor();
      for (const name of ['Change limits', 'Suspend', 'Remove user ann']) {
        expect(await page.getByRole('button', { name }).count()).toBe(0);
      }
    });

    test('says why a call was slow', async () => {
      const page = await open('#/tenants/acme');
      await page.getByRole('link', { name: 'diagnostics_sleep' }).first().click();
      await page.getByRole('heading', { name: /^Call i-/ }).waitFor();
      await page.getByText(/^It ran for /).waitFor();
      await expect.poll(() => page.evaluate('document.activeElement?.tagName')).toBe('H1');
    });

    test.each([
      { scheme: 'light', width: 1_280 },
      { scheme: 'dark', width: 390 },
    ] as const)('can be read and operated by anybody: $scheme, $width px', async (look) => {
      const page = await open('#/', 'operator', look);
      const findFlaws = await readFile(join(import.meta.dirname, 'find-flaws.js'), 'utf8');
      await page.getByRole('region', { name: 'Workers' }).waitFor();
      for (const hash of ['#/', '#/tenants', '#/tenants/acme']) {
        await page.goto(`${admin}/${hash}`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.getByRole('table').first().waitFor();
        expect([hash, await page.evaluate(findFlaws)]).toEqual([hash, []]);
      }
    });

    test('sees a worker go that is killed', async () => {
      const page = await open('#/');
      const rows = page.getByRole('region', { name: 'Workers' }).getByRole('row');
      await expect.poll(() => rows.count(), slow).toBe(3);
      const [worker] = cluster.workers;
      process.kill(worker?.pid ?? 0, 'SIGKILL');
      await expect.poll(() => rows.count(), slow).toBe(2);
      await page.getByText('0 of 64').first().waitFor();
    });

    test('asks nobody but its own server, and breaks none of its own rules', () => {
      expect(browser.complaints).toEqual([]);
    });
  },
);
