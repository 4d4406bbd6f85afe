/** Numbers that processes tell on their admin ports. */

/** Of one process, summed over labels; 0 if it tells nothing of that name. */
export async function readGauge(admin: string, name: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const series = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'));
  return [...series].reduce((sum, [, value]) => sum + Number(value), 0);
}

/** Summed over all workers of a cluster. */
export async function sumOverWorkers(
  cluster: { readonly workers: readonly { readonly ready: { readonly admin: string } }[] },
  name: string,
): Promise<number> {
  const each = await Promise.all(cluster.workers.map(({ ready }) => readGauge(ready.admin, name)));
  return each.reduce((sum, value) => sum + value, 0);
}
