/** One call: why it was slow, or refused, and what happened when. */
import type { CallView } from '../../shared/admin/api.ts';
import { duration, moment } from './format.ts';
import { tenantLink } from './route.ts';
import { Title } from './title.tsx';
import { useAnswer } from './use-answer.ts';

const everyMs = 2_000;

export function CallPage({ tenant, call }: { readonly tenant: string; readonly call: string }) {
  const path = `/tenants/${encodeURIComponent(tenant)}/calls/${encodeURIComponent(call)}`;
  const { answer, problem } = useAnswer<CallView>(path, everyMs);
  return (
    <>
      <p>
        <a href={tenantLink(tenant)}>← {tenant}</a>
      </p>
      <Title text={`Call ${call}`}>{answer && <span class="tag">{answer.state}</span>}</Title>
      <p class="problem" role="alert">
        {answer ? '' : problem}
      </p>
      {answer && <Story view={answer} />}
    </>
  );
}

function Story({ view: { verdict, audit, timeline, reply } }: { readonly view: CallView }) {
  const first = timeline[0]?.at ?? 0;
  const facts = [
    ['Tool', audit?.subject],
    ['User', audit?.user],
    ['Credential', audit?.credential],
    ['Decision', [audit?.decision, audit?.rule].filter(Boolean).join(': ')],
    ['Took', audit?.ms === undefined ? undefined : duration(audit.ms)],
    ['Reply', [reply?.status ?? audit?.outcome, reply?.fault].filter(Boolean).join(': ')],
  ].filter(([, value]) => value !== undefined && value !== '');
  return (
    <>
      <section class="card verdict" aria-label="What happened">
        {verdict.map((text) => (
          <p key={text}>{text}</p>
        ))}
        {verdict.length === 0 && <p>Only its entry in the audit is left.</p>}
      </section>
      <dl class="figures">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="small">{value}</dd>
          </div>
        ))}
      </dl>
      <section class="card" aria-labelledby="timeline">
        <h2 id="timeline">Timeline</h2>
        <ol class="timeline">
          {timeline.map(({ at, what }, index) => (
            <li key={`${at} ${what}`}>
              <span class="offset">{index === 0 ? moment(at) : `+ ${duration(at - first)}`}</span>
              <span>{what}</span>
            </li>
          ))}
        </ol>
      </section>
    </>
  );
}
