/** The heading of a page, which takes the focus when one comes to it, and names the window. */
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

export function Title({ text, children }: { text: string; children?: ComponentChildren }) {
  useEffect(() => {
    document.title = `${text} · agent-mesh`;
  }, [text]);
  return (
    <div class="title">
      <h1 tabIndex={-1}>{text}</h1>
      {children}
    </div>
  );
}
