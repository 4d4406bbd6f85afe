/** What an operator did to a tenant, or was refused, in that tenant's audit. */
import type { Tenant } from '../tenants/tenant.ts';
import type { Audit, AuditRecord } from './audit.ts';

export type OperatorChange = Pick<AuditRecord, 'action' | 'decision'> & {
  readonly subject?: string | undefined;
  readonly rule?: string;
};

export type RecordChange = (tenant: Pick<Tenant, 'id' | 'shard'>, change: OperatorChange) => void;

/** `who` is the operator's name, `credential` what proved it: `operator` at a command line, `console`. */
export function recordsOf(
  audit: Pick<Audit, 'record'>,
  who: { readonly user: string; readonly credential: string },
): RecordChange {
  return (tenant, { subject, ...change }) =>
    audit.record({ tenant, ...who, ...change, ...(subject === undefined ? {} : { subject }) });
}
