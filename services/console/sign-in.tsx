/** A token for a visit. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { TargetedSubmitEvent } from 'preact';
import type { SignedIn } from '../../shared/admin/api.ts';
import { signIn } from './api.ts';
import { textOf } from './text-of.ts';

export function SignIn({ onDone }: { readonly onDone: (session: SignedIn) => void }) {
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      onDone(await signIn(field.current?.value.trim() ?? ''));
    } catch (error) {
      setProblem(textOf(error));
      setBusy(false);
      field.current?.select();
    }
  };

  return (
    <main class="sign-in">
      <h1>agent-mesh</h1>
      <form onSubmit={(event) => void submit(event)}>
        <input
          class="hidden"
          type="text"
          name="username"
          autocomplete="username"
          tabIndex={-1}
          aria-hidden="true"
        />
        <label for="token">Admin token</label>
        <input
          id="token"
          ref={field}
          type="password"
          autocomplete="current-password"
          spellcheck={false}
          required
          aria-describedby="token-hint token-problem"
        />
        <p id="token-hint" class="hint">
          From <code>mesh admins add NAME --role operator</code>
        </p>
        <p id="token-problem" class="problem" role="alert">
          {problem}
        </p>
        <button class="primary" type="submit" disabled={isBusy}>
          Sign in
        </button>
      </form>
    </main>
  );
}
