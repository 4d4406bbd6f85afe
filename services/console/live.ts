/** The state of the cluster, second by second, while the page can be seen. */
import { useEffect, useState } from 'preact/hooks';
import type { ClusterView } from '../../shared/admin/api.ts';
import { readSession } from './api.ts';

export interface Live {
  /** Oldest first; the last is now. */
  readonly views: readonly ClusterView[];
  readonly isConnected: boolean;
}

const kept = 300;
const silentMs = 5_000;

export function useLive(onSignedOut: () => void): Live {
  const [live, setLive] = useState<Live>({ views: [], isConnected: false });

  useEffect(() => {
    let source: EventSource | undefined;
    let silent = 0;
    const lose = (): void => setLive(({ views }) => ({ views, isConnected: false }));

    const connect = (): void => {
      source?.close();
      source = undefined;
      if (document.hidden) return;
      source = new EventSource('/api/events');
      source.addEventListener('message', ({ data }: MessageEvent<string>) => {
        clearTimeout(silent);
        silent = window.setTimeout(lose, silentMs);
        // eslint-disable-next-line typescript/no-unsafe-type-assertion -- both sides are built from shared/admin/api.ts
        const news = JSON.parse(data) as readonly ClusterView[];
        setLive(({ views }) => ({ views: merge(views, news), isConnected: true }));
      });
      source.addEventListener('error', () => {
        lose();
        readSession().then(
          (session) => session ?? onSignedOut(),
          () => undefined,
        );
        if (source?.readyState === EventSource.CLOSED) window.setTimeout(connect, 1_000);
      });
    };
    connect();
    document.addEventListener('visibilitychange', connect);
    return () => {
      document.removeEventListener('visibilitychange', connect);
      clearTimeout(silent);
      source?.close();
    };
  }, []);
  return live;
}

function merge(views: readonly ClusterView[], news: readonly ClusterView[]): ClusterView[] {
  const first = news[0]?.at ?? 0;
  return [...views.filter(({ at }) => at < first), ...news].slice(-kept);
}
