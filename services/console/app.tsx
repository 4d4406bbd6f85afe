/** The frame of every page: who is signed in, where one may go, whether what is shown is live. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SignedIn } from '../../shared/admin/api.ts';
import { readSession, signOut, whenSignedOut } from './api.ts';
import { CallPage } from './call-page.tsx';
import { ClusterPage } from './cluster-page.tsx';
import { useLive, type Live } from './live.ts';
import { usePlace, type Place } from './route.ts';
import { SignIn } from './sign-in.tsx';
import { TenantPage } from './tenant-page.tsx';
import { TenantsPage } from './tenants-page.tsx';

export function App() {
  const [session, setSession] = useState<SignedIn | undefined | 'asking'>('asking');
  useEffect(() => {
    whenSignedOut(() => setSession(undefined));
    readSession().then(setSession, () => setSession(undefined));
  }, []);
  if (session === 'asking') return null;
  if (!session) return <SignIn onDone={setSession} />;
  return <Frame session={session} onSignedOut={() => setSession(undefined)} />;
}

interface FrameProps {
  readonly session: SignedIn;
  readonly onSignedOut: () => void;
}

function Frame({ session, onSignedOut }: FrameProps) {
  const place = usePlace();
  const live = useLive(onSignedOut);
  const main = useRef<HTMLElement>(null);
  const where = JSON.stringify(place);
  const isFirst = useRef(true);
  useEffect(() => {
    // Whoever goes to another page by keyboard or ear is taken to its heading.
    if (!isFirst.current) main.current?.querySelector<HTMLElement>('h1')?.focus();
    isFirst.current = false;
  }, [where]);

  const link = (href: string, text: string, isCurrent: boolean) => (
    <a href={href} {...(isCurrent ? { 'aria-current': 'page' as const } : {})}>
      {text}
    </a>
  );
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => skip(event, main.current)}>
        Skip to content
      </a>
      <header>
        <strong class="brand">agent-mesh</strong>
        <nav aria-label="Pages">
          {link('#/', 'Cluster', place.page === 'cluster')}
          {link('#/tenants', 'Tenants', place.page !== 'cluster')}
        </nav>
        <span class={live.isConnected ? 'live' : 'live lost'} role="status">
          {live.isConnected ? 'Live' : 'Not live'}
        </span>
        <span class="who">
          {session.name} <span class="role">{session.role}</span>
        </span>
        <button type="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Page place={place} live={live} session={session} />
      </main>
    </>
  );
}

interface PageProps {
  readonly place: Place;
  readonly live: Live;
  readonly session: SignedIn;
}

function Page({ place, live, session }: PageProps) {
  switch (place.page) {
    case 'cluster':
      return <ClusterPage live={live} />;
    case 'tenants':
      return <TenantsPage />;
    case 'tenant':
      return <TenantPage key={place.tenant} id={place.tenant} session={session} />;
    case 'call':
      return <CallPage key={place.call} tenant={place.tenant} call={place.call} />;
  }
}

function skip(event: Event, main: HTMLElement | null): void {
  // The part after `#` is ours.
  event.preventDefault();
  main?.focus();
}
