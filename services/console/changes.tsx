/** Changes: each is asked about once more in a dialog, made, and told. */
import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { post } from './api.ts';
import { textOf } from './text-of.ts';

export interface Change {
  /** A question: `Suspend acme?` */
  readonly title: string;
  /** What it means. */
  readonly text: string;
  /** What the button says that does it. */
  readonly verb: string;
  readonly path: string;
  readonly body: object;
}

/** Undefined for viewers: they are not offered what they may not do. */
type Propose = ((change: Change) => void) | undefined;

const Context = createContext<Propose>(undefined);

export const usePropose = (): Propose => useContext(Context);

interface ChangesProps {
  readonly mayChange: boolean;
  /** Hears that something was changed. */
  readonly onChanged: () => void;
  readonly children: ComponentChildren;
}

export function Changes({ mayChange, onChanged, children }: ChangesProps) {
  const [change, setChange] = useState<Change>();
  const [told, setTold] = useState('');
  const teller = useRef<HTMLParagraphElement>(null);
  const propose = (next: Change): void => {
    setTold('');
    setChange(next);
  };
  return (
    <Context.Provider value={mayChange ? propose : undefined}>
      <p class="told" role="status" ref={teller} tabIndex={-1}>
        {told}
      </p>
      {children}
      {change && (
        <Dialog
          change={change}
          onDone={(text) => {
            setChange(undefined);
            if (text === undefined) return;
            setTold(text);
            onChanged();
            // What opened the dialog may be gone with what was changed.
            teller.current?.focus();
          }}
        />
      )}
    </Context.Provider>
  );
}

interface DialogProps {
  readonly change: Change;
  /** With what was done; with nothing if it was not. */
  readonly onDone: (text?: string) => void;
}

function Dialog({ change: { title, text, verb, path, body }, onDone }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);

  const make = async (): Promise<void> => {
    setBusy(true);
    try {
      const { done } = await post<{ readonly done: string }>(path, body);
      dialog.current?.close();
      onDone(done);
    } catch (error) {
      setProblem(textOf(error));
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="change-title" onCancel={() => onDone()}>
      <h2 id="change-title">{title}</h2>
      <p>{text}</p>
      <p class="problem" role="alert">
        {problem}
      </p>
      <div class="buttons">
        <button type="button" onClick={() => onDone()}>
          Cancel
        </button>
        <button type="button" class="primary" disabled={isBusy} onClick={() => void make()}>
          {verb}
        </button>
      </div>
    </dialog>
  );
}

interface ProposeProps {
  readonly change: Change;
  /** What is read aloud where the text alone does not say of what. */
  readonly label?: string;
  readonly children: ComponentChildren;
}

/** A button, for those who may. */
export function ProposeButton({ change, label, children }: ProposeProps) {
  const propose = usePropose();
  if (!propose) return null;
  return (
    <button type="button" {...(label && { 'aria-label': label })} onClick={() => propose(change)}>
      {children}
    </button>
  );
}
