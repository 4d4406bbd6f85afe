import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, test } from 'vitest';
import { aPrincipal } from './an-ingress.ts';
import { ask, get, listen, open, peek, startCluster, subscribe } from './session-client.ts';

const updated = (uri: string): string => `notifications/resources/updated ${uri}`;
const toolsChanged = 'notifications/tools/list_changed';

describe('the stream of a session', () => {
  test('tells what was asked for at another ingress, and nobody else', async () => {
    await using cluster = await startCluster();
    const [one, two] = [await cluster.start(), await cluster.start()];
    const ann = cluster.as(aPrincipal('acme'));
    const eve = cluster.as(aPrincipal('globex'));
    const here = { mcp: one.mcp, key: ann };
    const there = { mcp: two.mcp, key: ann };
    const elsewhere = { mcp: two.mcp, key: eve };
    const [session, other, foreign] = [await open(here), await open(here), await open(elsewhere)];
    const [own, colleague, stranger] = [
      await listen(here, session),
      await listen(there, other),
      await listen(elsewhere, foreign),
    ];

    await subscribe(there, session, 'mesh://kv/a');
    await subscribe(there, session, 'mesh://kv/last');
    await subscribe(elsewhere, foreign, 'mesh://kv/a');
    await subscribe(here, other, 'mesh://kv/b');
    cluster.changed('acme', 'mesh://kv/a');
    cluster.changed('acme', 'mesh://kv/b');
    cluster.changed('acme', 'mesh://kv/last');
    await expect.poll(own.heard).toEqual([updated('mesh://kv/a'), updated('mesh://kv/last')]);
    await expect.poll(colleague.heard).toEqual([updated('mesh://kv/b')]);

    await ask(there, session, 'resources/unsubscribe', { uri: 'mesh://kv/a' });
    cluster.changed('acme', 'mesh://kv/a');
    cluster.changed('acme', 'mesh://kv/last');
    await expect.poll(() => own.heard().length).toBe(3);
    expect(own.heard().at(-1)).toBe(updated('mesh://kv/last'));
    expect(stranger.heard()).toEqual([]);
  });

  test('is opened by the official clients, who hear what they subscribed to', async () => {
    await using cluster = await startCluster();
    const mesh = await cluster.start();
    const key = cluster.as(aPrincipal('acme'));
    const { client: old } = await mesh.oldClient(key);
    const client = await mesh.client('legacy', key);
    const capabilities = {
      tools: { listChanged: true },
      resources: { subscribe: true },
      prompts: {},
      completions: {},
    };
    expect(old.getServerCapabilities()).toEqual(capabilities);
    expect(client.getServerCapabilities()).toEqual(capabilities);
    const heard: string[] = [];
    old.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
      heard.push(`old ${params.uri}`);
    });
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      heard.push(`new ${params.uri}`);
    });
    const changed = Promise.withResolvers<void>();
    client.setNotificationHandler('notifications/tools/list_changed', () => changed.resolve());
    await expect.poll(() => mesh.ingress.streams).toBe(2);
    await old.subscribeResource({ uri: 'mesh://kv/a' });
    await client.subscribeResource({ uri: 'mesh://kv/a' });
    cluster.changed('acme', 'mesh://kv/a');
    await expect.poll(() => heard.toSorted()).toEqual(['new mesh://kv/a', 'old mesh://kv/a']);
    cluster.change(key, aPrincipal('acme', { role: 'Viewer' }));
    await changed.promise;
  });

  test('takes no subscription to what nobody could read', async () => {
    await using cluster = await startCluster();
    const { mcp } = await cluster.start();
    const mesh = { mcp, key: cluster.as(aPrincipal('acme')) };
    const session = await open(mesh);
    for (const uri of ['mesh://no/a', 'mesh://kv/..', 'file:///etc/passwd']) {
      expect((await subscribe(mesh, session, uri)).error.message).toBe(
        `Resource not found: ${uri}`,
      );
    }
  });

  test('holds as many subscriptions as a tenant may have, over all its sessions', async () => {
    await using cluster = await startCluster(3);
    const { mcp } = await cluster.start();
    const mesh = { mcp, key: cluster.as(aPrincipal('acme')) };
    const [first, second] = [await open(mesh), await open(mesh)];
    const tryOn = async (session: string, ...names: string[]) => {
      const answers: string[] = [];
      for (const name of names) {
        const { error } = await subscribe(mesh, session, `mesh://kv/${name}`);
        answers.push(error ? error.message : 'ok');
      }
      return answers;
    };
    const full = 'Subscription limit reached. Unsubscribe from something.';
    expect(await tryOn(first, 'a', 'a', 'b')).toEqual(['ok', 'ok', 'ok']);
    expect(await tryOn(second, 'a', 'b')).toEqual(['ok', full]);
    await ask(mesh, first, 'resources/unsubscribe', { uri: 'mesh://kv/a' });
    expect(await tryOn(second, 'b', 'c')).toEqual(['ok', full]);
    // A session that is over makes room.
    const { tenant } = aPrincipal('acme');
    const [idle] = await cluster.store.list(tenant);
    await cluster.store.end(tenant, [idle?.id ?? '']);
    expect(await tryOn(await open(mesh), 'c')).toEqual(['ok']);
    // Somebody else's subscriptions are no concern of theirs.
    const theirs = { mcp, key: cluster.as(aPrincipal('globex')) };
    expect((await subscribe(theirs, await open(theirs), 'mesh://kv/a')).error).toBeUndefined();
  });

  test('ends once its session is closed or revoked, wherever that happens', async () => {
    await using cluster = await startCluster();
    const [one, two] = [await cluster.start(), await cluster.start()];
    const key = cluster.as(aPrincipal('acme'));
    const [here, there] = [one, two].map(({ mcp }) => ({ mcp, key }));
    if (!here || !there) throw new Error('Two were started');
    const [closed, revoked] = [await open(here), await open(here)];
    const streams = [await listen(here, closed), await listen(here, revoked)];
    await fetch(there.mcp, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${key}`, 'mcp-session-id': closed },
    });
    await streams[0]?.ended;
    const { tenant } = aPrincipal('acme');
    const ids = (await cluster.store.list(tenant)).map(({ id }) => id);
    await cluster.store.end(tenant, ids);
    await streams[1]?.ended;
    expect((await get(here, revoked)).status).toBe(404);
    expect(await cluster.commands.keys('*session*')).toEqual([]);
    expect(one.ingress.streams).toBe(0);
  });

  test('ends once its key is revoked or its tenant suspended', async () => {
    await using cluster = await startCluster();
    const { mcp } = await cluster.start();
    const mesh = { mcp, key: cluster.as(aPrincipal('acme')) };
    for (const next of [undefined, aPrincipal('acme', {}, 'suspended')]) {
      cluster.change(mesh.key, aPrincipal('acme'));
      const session = await open(mesh);
      const stream = await listen(mesh, session);
      cluster.change(mesh.key, next);
      await stream.ended;
      expect([401, 403]).toContain((await get(mesh, session)).status);
    }
  });

  test('is one: a client that comes back to any ingress ends the stream it left', async () => {
    await using cluster = await startCluster();
    const [one, two] = [await cluster.start(), await cluster.start()];
    const key = cluster.as(aPrincipal('acme'));
    const session = await open({ mcp: one.mcp, key });
    const first = await listen({ mcp: one.mcp, key }, session);
    const second = await listen({ mcp: two.mcp, key }, session);
    await first.ended;
    const third = await listen({ mcp: two.mcp, key }, session);
    await second.ended;
    await subscribe({ mcp: one.mcp, key }, session, 'mesh://kv/a');
    cluster.changed('acme', 'mesh://kv/a');
    await expect.poll(third.heard).toEqual([updated('mesh://kv/a')]);
    expect([...first.heard(), ...second.heard()]).toEqual([]);
    expect([one.ingress.streams, two.ingress.streams]).toEqual([0, 1]);
  });

  test('tells a client that comes back of all that may have changed while it was away', async () => {
    await using cluster = await startCluster();
    const [one, two] = [await cluster.start(), await cluster.start()];
    const key = cluster.as(aPrincipal('acme'));
    const session = await open({ mcp: one.mcp, key });
    await subscribe({ mcp: one.mcp, key }, session, 'mesh://kv/a');
    const first = await listen({ mcp: one.mcp, key }, session);
    // As a rolling update does.
    await one.ingress.drain(60_000);
    await first.ended;
    const away = { 'last-event-id': first.mark() };
    const second = await listen({ mcp: two.mcp, key }, session, away);
    await expect.poll(second.heard).toEqual([updated('mesh://kv/a')]);
    cluster.change(key, aPrincipal('acme', { role: 'Viewer' }));
    await expect.poll(() => second.heard().at(-1)).toBe(toolsChanged);
    const third = await listen({ mcp: two.mcp, key }, session, away);
    await expect.poll(third.heard).toEqual([toolsChanged, updated('mesh://kv/a')]);
    const fourth = await listen({ mcp: two.mcp, key }, session, { 'last-event-id': third.mark() });
    await expect.poll(fourth.heard).toEqual([updated('mesh://kv/a')]);
  });

  test('is never silent for long, and marked only for clients that know marks', async () => {
    await using cluster = await startCluster();
    const { mcp } = await cluster.start({ aliveMs: 20 });
    const mesh = { mcp, key: cluster.as(aPrincipal('acme')) };
    const session = await open(mesh);
    const stream = await listen(mesh, session, { 'mcp-protocol-version': '2025-06-18' });
    await expect.poll(() => stream.text().split(': alive').length).toBeGreaterThan(3);
    expect(stream.text()).not.toContain('data:');
    const later = await listen(mesh, session);
    await expect.poll(later.text).toMatch(/^id: \S+\ndata: \n$/m);
  });

  test('is found to be over although nobody said so', async () => {
    await using cluster = await startCluster();
    const { mcp } = await cluster.start({ lookMs: 50 });
    const mesh = { mcp, key: cluster.as(aPrincipal('acme')) };
    const stream = await listen(mesh, await open(mesh));
    await cluster.commands.flushall();
    await stream.ended;
  });

  test('cuts off a client that does not read', async () => {
    await using cluster = await startCluster();
    const { mcp, ingress } = await cluster.start({ stallMs: 200 });
    const mesh = { mcp, key: cluster.as(aPrincipal('acme')) };
    const session = await open(mesh);
    const uri = `mesh://kv/${'x'.repeat(800)}`;
    await subscribe(mesh, session, uri);
    const response = await get(mesh, session);
    expect(ingress.streams).toBe(1);
    await expect
      .poll(
        () => {
          for (let count = 0; count < 1_000; count += 1) cluster.changed('acme', uri);
          return ingress.streams;
        },
        { timeout: 10_000 },
      )
      .toBe(0);
    await response.body?.cancel().catch(() => undefined);
  });

  test('counts among the streams that a tenant may have', async () => {
    await using cluster = await startCluster();
    const { mcp } = await cluster.start({ streamsPerTenant: 1 });
    const mesh = { mcp, key: cluster.as(aPrincipal('acme')) };
    const [first, second] = [await open(mesh), await open(mesh)];
    const stream = await listen(mesh, first);
    const refused = await get(mesh, second);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
    stream.leave();
    await expect.poll(async () => (await peek(mesh, second)).status).toBe(200);
  });

  test('asks for a session, for events, and for an older version than 2026-07-28', async () => {
    await using cluster = await startCluster();
    const { mcp } = await cluster.start();
    const mesh = { mcp, key: cluster.as(aPrincipal('acme')) };
    const session = await open(mesh);
    const statusOf = async (headers: Record<string, string>, token = session) =>
      (await get(mesh, token, headers)).status;
    expect(await statusOf({ accept: 'application/json' })).toBe(406);
    expect(await statusOf({ 'mcp-protocol-version': '2026-07-28' })).toBe(405);
    expect(await statusOf({}, 'a.b.c')).toBe(404);
    expect(await statusOf({ authorization: 'Bearer nobody' })).toBe(401);
    const stranger = cluster.as(aPrincipal('globex'));
    expect(await statusOf({ authorization: `Bearer ${stranger}` })).toBe(404);
  });
});
