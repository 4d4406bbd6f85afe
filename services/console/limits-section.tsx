/** What a tenant may hold and do, how much of it is used now, and new values for it. */
import { useEffect, useState } from 'preact/hooks';
import type { LimitUse, TenantView } from '../../shared/admin/api.ts';
import { usePropose } from './changes.tsx';
import { bytes, count } from './format.ts';
import { Meter } from './meter.tsx';

interface LimitsProps {
  readonly tenant: TenantView;
  readonly path: string;
}

export function LimitsSection({
  tenant,
  path,
  changes,
}: LimitsProps & { readonly changes: number }) {
  const [isChanging, setChanging] = useState(false);
  useEffect(() => setChanging(false), [changes]);
  const propose = usePropose();
  return (
    <section class="card" aria-labelledby="limits">
      <div class="section-title">
        <h2 id="limits">Limits</h2>
        {propose && !isChanging && (
          <button type="button" onClick={() => setChanging(true)}>
            Change limits
          </button>
        )}
      </div>
      {isChanging ? (
        <LimitsForm tenant={tenant} path={path} onClose={() => setChanging(false)} />
      ) : (
        <dl class="limits">
          {tenant.limits.map((limit) => (
            <div key={limit.field}>
              <dt>{limit.label}</dt>
              <dd>
                <Use limit={limit} />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

function Use({ limit: { label, used, limit, unit } }: { readonly limit: LimitUse }) {
  const show = unit === 'bytes' ? bytes : count;
  return used === undefined ? (
    <>{show(limit)}</>
  ) : (
    <Meter label={label} used={used} limit={limit} show={show} />
  );
}

/** Starts from the values that were there when it was opened, and so does its version. */
function LimitsForm({ tenant, path, onClose }: LimitsProps & { readonly onClose: () => void }) {
  const propose = usePropose();
  const [before] = useState(tenant);
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const fields = before.limits
    .filter(({ field, limit }) => (values[field] ?? String(limit)) !== String(limit))
    .map(({ field }) => `${field}=${values[field] ?? ''}`);

  return (
    <form
      class="limits-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (fields.length === 0) return onClose();
        propose?.({
          title: `Change the limits of ${before.id}?`,
          text: `${fields.join(', ')}. This holds for every start from now on; calls that run are not stopped.`,
          verb: 'Change',
          path: `${path}/limits`,
          body: { version: before.version, fields },
        });
        return undefined;
      }}
    >
      <div class="fields">
        {before.limits.map(({ field, label, limit }) => (
          <label key={field}>
            <span>{label}</span>
            <input
              name={field}
              inputMode="numeric"
              pattern="[0-9]+"
              required
              value={values[field] ?? String(limit)}
              onInput={({ currentTarget }) =>
                setValues({ ...values, [field]: currentTarget.value })
              }
            />
          </label>
        ))}
      </div>
      <div class="buttons">
        <button type="button" onClick={onClose}>
          Close
        </button>
        <button type="submit" class="primary" disabled={fields.length === 0}>
          Review change
        </button>
      </div>
    </form>
  );
}
