/** A whole cluster for one test: real processes, private Redis, local AWS, free ports, own folder. */
import { startCluster, type Cluster, type ClusterOptions } from '../../deploy/local/cluster.ts';
import { parseTenantsFile } from '../../shared/tenants/tenants-file.ts';
import { makeTempDir } from './temp-dir.ts';

export interface TestCluster extends Cluster, AsyncDisposable {
  /** MCP endpoint of the first ingress. */
  readonly mcp: string;
  readonly apiKey: string;
  readonly dataDir: string;
}

export interface TestClusterOptions extends Pick<
  ClusterOptions,
  'ingresses' | 'workers' | 'diagnostics' | 'conformance'
> {
  /** Text of a tenants file. */
  readonly tenants?: string;
  /** Settings of all processes. */
  readonly environment?: Readonly<Record<string, string>>;
}

export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const { tenants, environment, ...rest } = options;
  const folder = await makeTempDir();
  // Whoever runs the tests may have a cluster of their own in their environment.
  const { REDIS_URL: _, ...inherited } = process.env;
  try {
    const cluster = await startCluster({
      ...rest,
      dataDir: folder.path,
      tenants: tenants === undefined ? [] : parseTenantsFile(tenants),
      environment: { ...inherited, LOG_LEVEL: 'warn', ...environment },
    });
    return {
      ...cluster,
      mcp: cluster.ingresses[0]?.ready.mcp ?? '',
      apiKey: cluster.demo.apiKey,
      dataDir: folder.path,
      async [Symbol.asyncDispose]() {
        await cluster.close();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}
