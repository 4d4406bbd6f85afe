import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { clusterSettings } from '../../../shared/config/cluster.ts';
import { ingressSettings } from '../../../shared/config/ingress.ts';
import { readConfig } from '../../../shared/config/setting.ts';
import { workerSettings } from '../../../shared/config/worker.ts';
import {
  folders,
  hasKubectl,
  listFiles,
  overlays,
  readKustomization,
  readPatches,
  readResources,
  readSettings,
  render,
  type Manifest,
} from './manifests.ts';
import { findFlaws, findUnknownFields } from './validate.ts';

const kubectl = await hasKubectl();
const whyNot = kubectl ? '' : ' (skipped: needs a kubectl with kustomize)';

const named = (manifests: readonly Manifest[], kind: string, name: string): Manifest => {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (!found) throw new Error(`There is no ${kind} ${name}`);
  return found;
};

/** Whatever makes pods: their template. */
const templates = (manifests: readonly Manifest[]) =>
  manifests.filter(({ spec }) => spec?.template?.spec?.containers).map(({ spec }) => spec.template);

interface Variable {
  readonly name: string;
  readonly value?: string;
}

/** Set by hand for one kind of process, in every overlay. */
async function variablesOf(kind: 'ingress' | 'worker'): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const folder of folders) {
    Object.assign(all, await readSettings(folder));
    const manifests = [...(await readResources(folder)), ...(await readPatches(folder))];
    for (const { spec } of manifests.filter(({ metadata }) => metadata.name === kind)) {
      const variables: readonly Variable[] = spec?.template?.spec.containers[0].env ?? [];
      for (const { name, value = 'redis://redis:6379' } of variables) all[name] = value;
    }
  }
  return all;
}

describe.each(folders)('the manifests in %s', (folder) => {
  test('are those that its kustomization names, and no others', async () => {
    const { resources, patches = [], configMapGenerator = [] } = await readKustomization(folder);
    const given = [
      ...resources.filter((name) => name.endsWith('.yaml')),
      ...patches.flatMap(({ path }) => path ?? []),
      ...configMapGenerator.flatMap(({ envs }) => envs),
    ];
    expect((await listFiles(folder)).toSorted()).toEqual(given.toSorted());
  });

  test('keep to the schemas of Kubernetes and KEDA, field by field', async () => {
    for (const manifest of await readResources(folder)) expect(findFlaws(manifest)).toEqual([]);
    const patches = (await readPatches(folder)).filter((patch) => !('$patch' in patch));
    for (const patch of patches) expect(findUnknownFields(patch)).toEqual([]);
  });
});

describe('the check of the schemas', () => {
  test('finds a wrong type, a missing field, and a field that nobody knows', async () => {
    const { spec, ...rest } = named(await readResources('base'), 'Deployment', 'worker');
    const flawsOf = (changed: object) => findFlaws({ ...rest, spec: { ...spec, ...changed } });
    expect(flawsOf({})).toEqual([]);
    expect(flawsOf({ replicas: 'two' }).join()).toContain('/spec/replicas must be integer');
    expect(flawsOf({ selector: undefined }).join()).toContain('required property selector');
    expect(flawsOf({ replica: 2 })).toEqual(['.spec.replica is no field']);
    const [container] = spec.template.spec.containers;
    const containers = [{ ...container, readynessProbe: {} }];
    const template = { ...spec.template, spec: { ...spec.template.spec, containers } };
    expect(flawsOf({ template })).toEqual([
      '.spec.template.spec.containers.0.readynessProbe is no field',
    ]);
  });
});

describe('a process in Kubernetes', () => {
  test.each(['ingress', 'worker'] as const)('as %s gets settings that it knows', async (kind) => {
    const variables = await variablesOf(kind);
    const known = new Set(
      [ingressSettings, workerSettings].flatMap((settings) =>
        Object.values(settings).map(({ env }) => env),
      ),
    );
    const ours = Object.keys(variables).filter((name) => !name.startsWith('AWS_'));
    expect(ours.filter((name) => !known.has(name))).toEqual([]);
    const settings = kind === 'ingress' ? ingressSettings : workerSettings;
    expect(() => readConfig(settings, variables)).not.toThrow();
  });

  test('has time to drain, and its longest lease to run out, before it is killed', async () => {
    for (const kind of ['ingress', 'worker'] as const) {
      const { template } = named(await readResources('base'), 'Deployment', kind).spec;
      const variables = await variablesOf(kind);
      const { leaseMs } = readConfig(clusterSettings, variables);
      const { drainMs } = readConfig(
        { drainMs: (kind === 'ingress' ? ingressSettings : workerSettings).drainMs },
        variables,
      );
      const before = template.spec.containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
      const needed = before + (drainMs + leaseMs) / 1_000;
      expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(needed);
    }
  });

  test('is told apart: starting, not ready, and stuck', async () => {
    for (const kind of ['ingress', 'worker']) {
      const { template } = named(await readResources('base'), 'Deployment', kind).spec;
      const { startupProbe, readinessProbe, livenessProbe } = template.spec.containers[0];
      const seconds = (probe: { periodSeconds: number; failureThreshold: number }) =>
        probe.periodSeconds * probe.failureThreshold;
      expect([startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet)).toEqual([
        { path: '/healthz', port: 'admin' },
        { path: '/readyz', port: 'admin' },
        { path: '/healthz', port: 'admin' },
      ]);
      expect(seconds(startupProbe)).toBeGreaterThanOrEqual(300);
      expect(seconds(livenessProbe)).toBeGreaterThanOrEqual(60);
      expect(seconds(readinessProbe)).toBeLessThanOrEqual(10);
    }
  });

  test('is asked for by work that more slots could start, by metrics that exist', async () => {
    const { spec } = named(await readResources('base'), 'ScaledObject', 'worker');
    const [{ metadata }] = spec.triggers;
    const told = join(import.meta.dirname, '../../../shared/telemetry/redis/observe-work.ts');
    const source = await readFile(told, 'utf8');
    const metrics: readonly string[] = metadata.query.match(/agent_mesh_\w+/g);
    expect(metrics).toContain('agent_mesh_admissible_backlog');
    for (const metric of metrics) expect(source).toContain(`'${metric}'`);
    const { slots } = readConfig(workerSettings, await variablesOf('worker'));
    expect(Number(metadata.threshold)).toBeLessThan(slots);
  });

  test('talks to nobody that no policy names, and its admin port to monitoring alone', async () => {
    const manifests = [
      ...(await readResources('base')),
      ...(await readResources('overlays/production')),
    ];
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    const nothing = named(policies, 'NetworkPolicy', 'nothing').spec;
    expect(nothing).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    const admitting = policies.flatMap(({ spec }) => spec.ingress ?? []);
    for (const { from, ports } of admitting) {
      expect(from).not.toContainEqual({});
      const isAdmin = ports.some(({ port }: { port: unknown }) => port === 'admin');
      const space = from[0].namespaceSelector.matchLabels['kubernetes.io/metadata.name'];
      expect(space === 'monitoring').toBe(isAdmin);
    }
    const leaving = policies.flatMap(({ spec }) => spec.egress ?? []);
    const everywhere = leaving.filter(({ to }) => to[0].ipBlock?.cidr === '0.0.0.0/0');
    for (const { to } of everywhere) expect(to[0].ipBlock.except).toEqual(['169.254.0.0/16']);
  });
});

describe.each(overlays)(`the overlay %s${whyNot}`, (overlay) => {
  test.skipIf(!kubectl)('renders to what the schemas allow', async () => {
    const manifests = await render(overlay);
    expect(manifests.flatMap(findFlaws)).toEqual([]);
    expect(new Set(manifests.map(({ kind }) => kind))).toContain('Deployment');
    const scaled = manifests.filter(({ kind }) => kind === 'ScaledObject');
    expect(scaled).toHaveLength(overlay === 'production' ? 1 : 0);
  });

  test.skipIf(!kubectl)('keeps every pod to the restricted standard', async () => {
    for (const { spec } of templates(await render(overlay))) {
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      for (const container of spec.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources).toMatchObject({
          requests: { cpu: expect.anything(), memory: expect.anything() },
          limits: { memory: expect.anything() },
        });
        expect(container.resources.limits).not.toHaveProperty('cpu');
      }
    }
  });

  test.skipIf(!kubectl)('gives what is secret by reference, and the rest by one map', async () => {
    const manifests = await render(overlay);
    const map = manifests.find(({ kind }) => kind === 'ConfigMap');
    const secretNames = Object.values(clusterSettings).flatMap(({ env, secret }) =>
      secret ? [env] : [],
    );
    for (const name of secretNames) expect(map?.data).not.toHaveProperty(name);
    for (const name of ['ingress', 'worker']) {
      const [container] = named(manifests, 'Deployment', name).spec.template.spec.containers;
      expect(container.envFrom).toEqual([{ configMapRef: { name: map?.metadata.name } }]);
      const variables: readonly Variable[] = container.env;
      const given = variables.map(({ name: variable, ...rest }) => [variable, Object.keys(rest)]);
      const expected = variables.map(({ name: variable }) => [
        variable,
        [secretNames.includes(variable) ? 'valueFrom' : 'value'],
      ]);
      expect(given).toEqual(expected);
    }
  });

  test.skipIf(!kubectl)('selects its own pods with each service, budget and policy', async () => {
    const manifests = await render(overlay);
    const labels = templates(manifests).map(({ metadata }) => metadata.labels);
    const selectors = manifests.flatMap(({ kind, spec }) => {
      if (kind === 'Service') return [spec.selector];
      if (kind === 'PodDisruptionBudget') return [spec.selector.matchLabels];
      if (kind === 'NetworkPolicy') return [spec.podSelector.matchLabels ?? {}];
      return [];
    });
    for (const selector of selectors) {
      expect(labels).toContainEqual(expect.objectContaining(selector));
    }
  });
});
