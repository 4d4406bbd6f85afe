/** What the server says to a question, asked again and again while the page can be seen. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get } from './api.ts';
import { textOf } from './text-of.ts';

export interface Answered<Answer> {
  /** The newest answer, to this question or the one before. */
  readonly answer: Answer | undefined;
  readonly problem: string;
  readonly reload: () => void;
}

/** Undefined asks nothing. */
export function useAnswer<Answer>(path: string | undefined, everyMs?: number): Answered<Answer> {
  const [answer, setAnswer] = useState<Answer>();
  const [problem, setProblem] = useState('');
  const newest = useRef(0);

  const reload = useCallback((): void => {
    if (path === undefined) return;
    const number = (newest.current += 1);
    const isNewest = (): boolean => number === newest.current;
    const show = (found: Answer | undefined, text: string): void => {
      if (!isNewest()) return;
      if (found !== undefined) setAnswer(found);
      setProblem(text);
    };
    get<Answer>(path).then(
      (found) => show(found, ''),
      (error: unknown) => show(undefined, textOf(error)),
    );
  }, [path]);

  useEffect(() => {
    reload();
    if (everyMs === undefined) return undefined;
    const timer = setInterval(() => !document.hidden && reload(), everyMs);
    return () => clearInterval(timer);
  }, [reload, everyMs]);
  return { answer, problem, reload };
}
