/**
 * Holds a manifest to the schema of its kind, and as `kubectl --validate=strict` does, to the fields
 * that the schema knows: one that it never looks at is a misspelt one.
 */
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { Secret } from 'kubernetes-models/v1/Secret';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import type { Manifest } from './manifests.ts';

interface Validating {
  validate(): void;
}

/** A model says which kind it is of. */
const models: readonly (new (data: never) => Validating & Pick<Manifest, 'apiVersion' | 'kind'>)[] =
  [
    ...[ConfigMap, Namespace, Secret, Service, ServiceAccount],
    ...[Deployment, StatefulSet, Job, HorizontalPodAutoscaler],
    ...[Ingress, NetworkPolicy, PodDisruptionBudget, ScaledObject],
  ];

/** What is wrong with it; empty if nothing is. */
export function findFlaws(manifest: Manifest): readonly string[] {
  return [...findBreaches(manifest), ...findUnknownFields(manifest)];
}

function findBreaches(manifest: Manifest): readonly string[] {
  try {
    modelOf(manifest).validate();
    return [];
  } catch (error) {
    return [String(error)];
  }
}

/** Also of a patch, which need not be whole. */
export function findUnknownFields(manifest: Manifest): readonly string[] {
  const unseen = new Set<string>();
  const model = modelOf(manifest);
  try {
    model.validate.call(watched(model, '', unseen));
  } catch {
    // What it lacks is no matter here.
  }
  return [...unseen].map((field) => `${field} is no field`);
}

function modelOf(manifest: Manifest): Validating {
  for (const Model of models) {
    const model = new Model(manifest as never);
    const { apiVersion, kind } = new Model({} as never);
    if (apiVersion === manifest.apiVersion && kind === manifest.kind) return model;
  }
  throw new Error(`No schema for ${manifest.apiVersion} ${manifest.kind}`);
}

/** Looks the same; `unseen` then holds the path of each field that nobody has read. */
function watched<Value>(value: Value, path: string, unseen: Set<string>): Value {
  if (typeof value !== 'object' || value === null) return value;
  const at = (name: string): string => `${path}.${name}`;
  if (!Array.isArray(value)) for (const name of Object.keys(value)) unseen.add(at(name));
  return new Proxy<Value & object>(value, {
    get(target, name, receiver) {
      const field: unknown = Reflect.get(target, name, receiver);
      if (typeof name === 'symbol') return field;
      unseen.delete(at(name));
      return watched(field, at(name), unseen);
    },
  });
}
