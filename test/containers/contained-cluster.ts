/**
 * A cluster of the built image: Redis, the local AWS, one ingress, two workers, each a container,
 * all on a network of their own.
 */
import {
  GenericContainer,
  Network,
  Wait,
  type StartedNetwork,
  type StartedTestContainer,
} from 'testcontainers';
import type { Endpoint } from '../support/call.ts';

/** The image under test: `npm run test:containers` builds it first. */
export const builtImage = 'agent-mesh:latest';

export interface ContainedCluster extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly redis: StartedTestContainer;
  readonly ingress: StartedTestContainer;
  readonly workers: readonly StartedTestContainer[];
}

export interface StoreImage {
  readonly image: string;
  readonly server: string;
}

// Its helper container is one image more to fetch; everything started here is stopped here.
process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';

const environment = {
  REDIS_URL: 'redis://redis:6379',
  AWS_REGION: 'us-west-2',
  AWS_ENDPOINT_URL: 'http://aws:4566',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local-secret',
  AGENT_MESH_TENANT_ROLE: 'arn:aws:iam::000000000000:role/agent-mesh-tenant',
  AGENT_MESH_DIAGNOSTICS: 'true',
};
const localAws = { LOCAL_AWS_HOST: 'aws', LOCAL_AWS_PORT: '4566', LOCAL_AWS_DATA_DIR: '/data/aws' };
const cli = ['node', 'dist/services/cli/main.js'];
const startTimeoutMs = 60_000;

export async function startContainedCluster(store: StoreImage): Promise<ContainedCluster> {
  await using undo = new AsyncDisposableStack();
  const network = undo.use(await new Network().start());
  const start = async (container: GenericContainer): Promise<StartedTestContainer> =>
    undo.use(await container.withNetwork(network).withStartupTimeout(startTimeoutMs).start());

  const [redis] = await Promise.all([
    start(redisOf(store)),
    start(
      processOf(['node', 'dist/deploy/compose/local-aws.js'], localAws)
        .withNetworkAliases('aws')
        .withWaitStrategy(Wait.forLogMessage('http://aws:4566')),
    ),
  ]);
  const apiKey = await setUp(network);
  const worker = ['node', 'dist/services/worker/main.js'];
  const [ingress, ...workers] = await Promise.all([
    // Without a command: the image is an ingress unless told otherwise.
    start(processOf([], { HOST: '0.0.0.0' }).withExposedPorts(3000)),
    start(processOf(worker)),
    start(processOf(worker)),
  ]);
  const mcp = `http://127.0.0.1:${ingress.getMappedPort(3000)}/mcp`;
  const started = undo.move();
  return {
    endpoint: { mcp, apiKey },
    redis,
    ingress,
    workers,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

function redisOf({ image, server }: StoreImage): GenericContainer {
  const options = ['--bind', '0.0.0.0', '--protected-mode', 'no', '--appendonly', 'yes'];
  return new GenericContainer(image)
    .withNetworkAliases('redis')
    .withCommand([server, ...options, '--maxmemory-policy', 'noeviction'])
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/));
}

/** Ready when the image's own health check says so. */
function processOf(
  command: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): GenericContainer {
  const container = new GenericContainer(builtImage)
    .withEnvironment({ ...environment, ...settings })
    .withDroppedCapabilities('ALL')
    .withSecurityOpt('no-new-privileges:true')
    .withWaitStrategy(Wait.forHealthCheck());
  return command.length === 0 ? container : container.withCommand([...command]);
}

/** Resolves with the demo tenant's key, which the cli prints alone. */
async function setUp(network: StartedNetwork): Promise<string> {
  let said = '';
  const container = processOf([...cli, 'setup', '--demo', '--data', '/data/setup'])
    .withNetwork(network)
    .withLogConsumer((log) => log.on('data', (chunk: Buffer) => (said += chunk.toString())))
    .withWaitStrategy(Wait.forOneShotStartup())
    .withStartupTimeout(startTimeoutMs);
  await using _ = await container.start().catch((cause: unknown) => {
    throw new Error(`mesh setup failed: ${said}`, { cause });
  });
  const [key] = /am_[\w-]{43}/.exec(said) ?? [];
  if (key === undefined) throw new Error(`mesh setup printed no key: ${said}`);
  return key;
}
