/** The handshake of 2025-11-25, for servers that answer nobody without a session. */

/** Resolves with the headers of every further request. */
export async function openSession(url: string): Promise<Readonly<Record<string, string>>> {
  const post = (message: object, headers: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
  const clientInfo = { name: 'bench', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const response = await post({ id: 1, method: 'initialize', params }, {});
  await response.text();
  const session = response.headers.get('mcp-session-id');
  if (session === null) throw new Error(`${url} gave no session: HTTP ${response.status}`);
  const headers = { 'mcp-session-id': session };
  await (await post({ method: 'notifications/initialized' }, headers)).text();
  return headers;
}
