/** Where in the console one is: the part of the address after `#`, which never reaches a server. */
import { useEffect, useState } from 'preact/hooks';

export type Place =
  | { readonly page: 'cluster' }
  | { readonly page: 'tenants' }
  | { readonly page: 'tenant'; readonly tenant: string }
  | { readonly page: 'call'; readonly tenant: string; readonly call: string };

function toPlace(hash: string): Place {
  const [first = '', tenant = '', third = '', call = ''] = hash
    .replace(/^#\/?/, '')
    .split('/')
    .map(decode);
  if (first !== 'tenants') return { page: 'cluster' };
  if (tenant === '') return { page: 'tenants' };
  return third === 'calls' && call !== ''
    ? { page: 'call', tenant, call }
    : { page: 'tenant', tenant };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const tenantLink = (tenant: string): string => `#/tenants/${encodeURIComponent(tenant)}`;

export const callLink = (tenant: string, call: string): string =>
  `${tenantLink(tenant)}/calls/${encodeURIComponent(call)}`;

export function usePlace(): Place {
  const [place, setPlace] = useState(() => toPlace(location.hash));
  useEffect(() => {
    const onChange = (): void => setPlace(toPlace(location.hash));
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return place;
}
