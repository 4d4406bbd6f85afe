/** Debian's Chromium in front of a console, as an operator uses it. */
import { existsSync } from 'node:fs';
import { chromium, type Page } from 'playwright-core';

const executablePath = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => existsSync(path));

/** Why there can be no browser; undefined if there can. */
export const noBrowser =
  executablePath === undefined
    ? 'no Chromium on this machine (apt-get install chromium)'
    : undefined;

const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Look {
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
}

export interface Browser extends AsyncDisposable {
  /** A window of its own, with nothing remembered. */
  open(url: string, look?: Look): Promise<Page>;
  /** What pages have complained of: blocked by a policy, thrown, asked of another host. */
  readonly complaints: readonly string[];
}

export async function startBrowser(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(noBrowser);
  const browser = await chromium.launch({ executablePath, args });
  const complaints: string[] = [];
  return {
    complaints,
    async open(url, { scheme = 'light', width = 1_280 } = {}) {
      const context = await browser.newContext({
        colorScheme: scheme,
        viewport: { width, height: 900 },
      });
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => {
        if (message.text().includes('Content Security Policy')) complaints.push(message.text());
      });
      page.on('request', (request) => {
        if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(request.url());
      });
      await page.goto(url);
      return page;
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Admin token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Pages', exact: true }).waitFor();
}
