/** Every target by its name. */
import { fastmcp, floor, sdkV1, sdkV2, startOwn } from './own-servers.ts';
import { startMesh } from './mesh.ts';
import { mcpProxy, startProxy, supergateway } from './proxies.ts';
import type { Target } from './target.ts';

const starters = {
  floor: () => startOwn(floor),
  'sdk-v1': () => startOwn(sdkV1),
  'sdk-v2': () => startOwn(sdkV2),
  'mcp-proxy': () => startProxy(mcpProxy),
  supergateway: () => startProxy(supergateway),
  fastmcp: () => startOwn(fastmcp),
  mesh: () => startMesh({ tenants: 100 }),
} satisfies Record<string, () => Promise<Target>>;

export type TargetName = keyof typeof starters;
export const targetNames = Object.keys(starters) as readonly TargetName[];

export function startTarget(name: TargetName): Promise<Target> {
  return starters[name]();
}
