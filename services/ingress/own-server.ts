/**
 * The SDK's server, which also tells a 2025-era client for whom its token stands. A program in
 * front of other programs cannot know otherwise.
 */
import { Server } from '@modelcontextprotocol/server';
import type { Principal } from '../../shared/tenants/tenant.ts';

type WrapHandler = Server['_wrapHandler'];

export class OwnServer extends Server {
  /** Absent: nobody is told. */
  principal: Principal | undefined;

  protected override _wrapHandler(
    method: string,
    handler: Parameters<WrapHandler>[1],
  ): ReturnType<WrapHandler> {
    const wrapped = super._wrapHandler(method, handler);
    if (method !== 'initialize') return wrapped;
    return async (request, context) => {
      const result = await wrapped(request, context);
      if (!this.principal) return result;
      const { tenant, user } = this.principal;
      return {
        ...result,
        _meta: { 'agent-mesh/tenant': tenant.id, 'agent-mesh/user': user.id },
      };
    };
  }
}
