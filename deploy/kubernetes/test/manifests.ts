/** The manifests as files, and as `kubectl kustomize` makes them of those. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse as parseYaml, parseAllDocuments } from 'yaml';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '..');

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  // oxlint-disable-next-line typescript/no-explicit-any -- of many kinds; the schemas hold them to theirs
  readonly spec?: any;
  readonly data?: Readonly<Record<string, string>>;
}

export interface Kustomization {
  readonly resources: readonly string[];
  readonly patches?: readonly { readonly path?: string; readonly patch?: string }[];
  readonly configMapGenerator?: readonly { readonly envs: readonly string[] }[];
}

export const folders = ['base', 'overlays/local', 'overlays/production'] as const;
export const overlays = ['local', 'production'] as const;
export type Overlay = (typeof overlays)[number];

export const parse = (text: string): readonly Manifest[] =>
  parseAllDocuments(text).map((document): Manifest => document.toJS());

export const read = (...path: readonly string[]): Promise<string> =>
  readFile(join(folder, ...path), 'utf8');

export async function readKustomization(of: string): Promise<Kustomization> {
  const kustomization: Kustomization = parseYaml(await read(of, 'kustomization.yaml'));
  return kustomization;
}

/** Everything in the folder that no kustomization need name: itself, and folders. */
export async function listFiles(of: string): Promise<readonly string[]> {
  const entries = await readdir(join(folder, of), { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  return files.filter((name) => name !== 'kustomization.yaml');
}

/** The manifests that the folder adds, not those that it takes from another. */
export async function readResources(of: string): Promise<readonly Manifest[]> {
  const { resources } = await readKustomization(of);
  const files = resources.filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(files.map((name) => read(of, name)));
  return texts.flatMap((text) => parse(text));
}

export async function readPatches(of: string): Promise<readonly Manifest[]> {
  const { patches = [] } = await readKustomization(of);
  const texts = await Promise.all(
    patches.map(async ({ path, patch = '' }) => (path === undefined ? patch : read(of, path))),
  );
  return texts.flatMap((text) => parse(text));
}

export async function readSettings(of: string): Promise<Readonly<Record<string, string>>> {
  const lines = (await read(of, 'settings.env')).split('\n');
  const pairs = lines.filter((line) => line.includes('=') && !line.startsWith('#'));
  return Object.fromEntries(pairs.map((line) => line.split(/=(.*)/s).slice(0, 2)));
}

export async function hasKubectl(): Promise<boolean> {
  return run('kubectl', ['kustomize', '--help']).then(
    () => true,
    () => false,
  );
}

const rendered = new Map<Overlay, Promise<readonly Manifest[]>>();

export function render(overlay: Overlay): Promise<readonly Manifest[]> {
  const manifests = rendered.get(overlay) ?? runKustomize(overlay);
  rendered.set(overlay, manifests);
  return manifests;
}

async function runKustomize(overlay: Overlay): Promise<readonly Manifest[]> {
  const target = join(folder, 'overlays', overlay);
  const { stdout } = await run('kubectl', ['kustomize', target], { maxBuffer: 2 ** 24 });
  return parse(stdout);
}
