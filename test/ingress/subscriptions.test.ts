import { describe, expect, test } from 'vitest';
import type { TenantDirectory } from '../../services/ingress/authenticate.ts';
import { hashApiKey, newApiKey } from '../../shared/tenants/api-keys.ts';
import { everyTenant } from '../../shared/tenants/tenant-changes.ts';
import { Limits, type Principal } from '../../shared/tenants/tenant.ts';
import { aPrincipal, messageOf, modern, post, startIngress } from './an-ingress.ts';

/** A directory whose records change under the ingress. */
function aDirectory() {
  const owners = new Map<string, Principal>();
  const directory: TenantDirectory = {
    findKey: async (hash) => owners.get(hash),
    find: async () => undefined,
  };
  return { owners, directory };
}

const toolsChanged = { notifications: { toolsListChanged: true } };

/** One `subscriptions/listen`, read as it comes. */
async function listen(mesh: { mcp: string; key: string }, id = 1) {
  const { body, headers } = modern('subscriptions/listen', toolsChanged, id);
  const leave = new AbortController();
  const response = await post(mesh, body, headers, leave.signal);
  let text = '';
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  })().catch(() => undefined);
  await expect.poll(() => text).toContain('subscriptions/acknowledged');
  const heard = (): number => text.split('notifications/tools/list_changed').length - 1;
  return { heard, ended, text: () => text, leave: () => leave.abort() };
}

async function startChanging() {
  const { owners, directory } = aDirectory();
  const mesh = await startIngress({ directory });
  const change = (key: string, principal: Principal | undefined) => {
    if (principal) owners.set(hashApiKey(key), principal);
    else owners.delete(hashApiKey(key));
  };
  return {
    mesh,
    change,
    /** A key of that principal, as an endpoint to post to. */
    as(principal: Principal) {
      const key = newApiKey();
      change(key, principal);
      return { mcp: mesh.mcp, key };
    },
    [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose](),
  };
}

describe('subscriptions/listen', () => {
  test('tells a tenant’s clients that their tools changed, and nobody else', async () => {
    await using world = await startChanging();
    const ann = world.as(aPrincipal('acme', { role: 'Viewer' }));
    const bob = world.as(aPrincipal('acme', { id: 'bob', role: 'User' }));
    const eve = world.as(aPrincipal('globex', { role: 'Viewer' }));
    const [own, colleague, stranger] = await Promise.all([ann, bob, eve].map((as) => listen(as)));

    world.change(ann.key, aPrincipal('acme', { role: 'Admin' }));
    world.mesh.ingress.onTenantChange('acme');
    await expect.poll(() => own?.heard()).toBe(1);
    // Their own change comes after, so that nothing earlier is still on its way.
    world.change(bob.key, aPrincipal('acme', { id: 'bob', role: 'Viewer' }));
    world.change(eve.key, aPrincipal('globex', { role: 'User' }));
    world.mesh.ingress.onTenantChange(everyTenant);
    await expect.poll(() => [colleague?.heard(), stranger?.heard()]).toEqual([1, 1]);
    expect(own?.heard()).toBe(1);
    expect(stranger?.text()).not.toContain('acme');
  });

  test('says nothing of changes that leave the tools as they are', async () => {
    await using world = await startChanging();
    const principal = aPrincipal('acme', { role: 'User' });
    const ann = world.as(principal);
    const stream = await listen(ann);
    const limits = Limits.parse({ concurrency: 1 });
    world.change(ann.key, { ...principal, tenant: { ...principal.tenant, limits, version: 2 } });
    world.mesh.ingress.onTenantChange('acme');
    world.change(ann.key, aPrincipal('acme', { role: 'Viewer' }));
    await expect.poll(() => stream.heard()).toBe(1);
    world.mesh.ingress.onTenantChange('acme');
    world.change(ann.key, aPrincipal('acme', { role: 'User' }));
    await expect.poll(() => stream.heard()).toBe(2);
  });

  test('hears of a change that nobody announced', async () => {
    await using world = await startChanging();
    const ann = world.as(aPrincipal('acme', { role: 'Viewer' }));
    const stream = await listen(ann);
    world.change(ann.key, aPrincipal('acme', { role: 'User' }));
    await expect.poll(() => stream.heard(), { timeout: 5_000 }).toBe(1);
  });

  test.each([
    ['whose key was revoked', undefined],
    ['of a tenant that was suspended', aPrincipal('acme', {}, 'suspended')],
  ])('ends a stream %s, in good order', async (_what, next) => {
    await using world = await startChanging();
    const ann = world.as(aPrincipal('acme'));
    const stream = await listen(ann);
    expect(world.mesh.ingress.streams).toBe(1);
    world.change(ann.key, next);
    await stream.ended;
    expect(stream.text()).toContain('"resultType":"complete"');
    expect(stream.heard()).toBe(0);
    await expect.poll(() => world.mesh.ingress.streams).toBe(0);
  });

  test('keeps its streams while the directory fails', async () => {
    const { owners, directory } = aDirectory();
    let fails = false;
    await using mesh = await startIngress({
      directory: {
        ...directory,
        async findKey(hash) {
          if (fails) throw new Error('no answer');
          return owners.get(hash) ?? aPrincipal('acme', { role: 'Viewer' });
        },
      },
    });
    const stream = await listen(mesh);
    fails = true;
    mesh.ingress.onTenantChange(everyTenant);
    await new Promise(setImmediate);
    expect(mesh.ingress.streams).toBe(1);
    fails = false;
    stream.leave();
  });

  test('forgets a stream whose client left, and never counts it again', async () => {
    await using mesh = await startIngress({}, { streamsPerTenant: 1 });
    for (let id = 0; id < 3; id += 1) {
      const stream = await listen(mesh, id);
      stream.leave();
      await expect.poll(() => mesh.ingress.streams).toBe(0);
    }
  });

  test('holds at most so many streams of one tenant, and of all', async () => {
    await using mesh = await startIngress({}, { streamsPerTenant: 2, streams: 3 });
    const refused = async (key: string): Promise<string> => {
      const { body, headers } = modern('subscriptions/listen', toolsChanged);
      return (await messageOf(await post({ ...mesh, key }, body, headers))).error.message;
    };
    await listen(mesh);
    await listen(mesh);
    expect(await refused(mesh.key)).toBe('Subscription limit reached');
    const globex = mesh.keys.issue(aPrincipal('globex'));
    await listen({ ...mesh, key: globex });
    expect(await refused(globex)).toBe('Subscription limit reached');
  });

  test('is asked for by the official client', async () => {
    await using world = await startChanging();
    const ann = world.as(aPrincipal('acme', { role: 'Viewer' }));
    const client = await world.mesh.client('auto', ann.key);
    expect(client.getServerCapabilities()).toEqual({
      tools: { listChanged: true },
      resources: { subscribe: true },
      prompts: {},
      completions: {},
    });
    const changed = Promise.withResolvers<void>();
    client.setNotificationHandler('notifications/tools/list_changed', () => changed.resolve());
    await client.listen({ toolsListChanged: true });
    world.change(ann.key, aPrincipal('acme', { role: 'User' }));
    await changed.promise;
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('kv_set');
  });

  test('is not announced to older clients, who have no way to ask', async () => {
    await using mesh = await startIngress();
    const client = await mesh.client('legacy');
    expect(client.getServerCapabilities()).toEqual({
      tools: {},
      resources: {},
      prompts: {},
      completions: {},
    });
    const get = { headers: { authorization: `Bearer ${mesh.key}`, accept: 'text/event-stream' } };
    expect((await fetch(mesh.mcp, get)).status).toBe(405);
  });

  test('does not hold up an ingress that drains', async () => {
    await using mesh = await startIngress();
    const stream = await listen(mesh);
    await mesh.ingress.drain(60_000);
    await stream.ended;
    expect(stream.text()).toContain('"resultType":"complete"');
  });
});
