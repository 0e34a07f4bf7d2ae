// The window in which something is asked of a run: what will happen, why it is asked for, and the same as a command.
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { told } from "../api/problem";
import { Copy } from "../ui/Copy";
import { Dialog } from "../ui/Dialog";

interface Props {
  title: string;
  /** The word on the button. */
  button: string;
  effect: ReactNode;
  isDestructive?: boolean;
  /** Whether a reason must be given. */
  needsReason?: boolean;
  /** The same as a command, with the reason in it. */
  command?: (why: string) => string;
  /** Something that must be typed, lest it is asked for by accident. */
  typed?: string | undefined;
  isReady?: boolean;
  act: (why: string) => Promise<unknown>;
  onClose: () => void;
  children?: ReactNode;
  isWide?: boolean;
}

export function Ask({ title, button, effect, isDestructive = false, needsReason = isDestructive, command, typed, isReady = true, act, onClose, children, isWide = false }: Props) {
  const [why, setWhy] = useState("");
  const [word, setWord] = useState("");
  const asked = useMutation({ mutationFn: () => act(why.trim()), onSuccess: onClose });
  const mayGo = isReady && !asked.isPending && (!needsReason || why.trim() !== "") && (typed === undefined || word === typed);
  const go = (event: FormEvent) => {
    event.preventDefault();
    if (mayGo) asked.mutate();
  };
  return (
    <Dialog title={title} onClose={onClose} isWide={isWide}>
      <form onSubmit={go} className="dialog-form">
        <div className="dialog-body">
          <div>{effect}</div>
          {children}
          <label className="field">
            <span>Why{needsReason ? "" : " (if you like)"}</span>
            <input className="input" value={why} maxLength={500} autoFocus={!children} autoComplete="off" required={needsReason}
              onChange={(event) => { setWhy(event.target.value); }} placeholder="Recorded with who asked" />
          </label>
          {typed !== undefined && (
            <label className="field">
              <span>Type <code>{typed}</code> to show that you mean it</span>
              <input className="input mono" value={word} autoComplete="off" spellCheck={false} onChange={(event) => { setWord(event.target.value); }} />
            </label>
          )}
          {asked.error && <p className="field-bad" role="alert">{told(asked.error).title}: {told(asked.error).detail}</p>}
          {command && <Command text={command(why.trim())} />}
        </div>
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>Cancel</button>
          <button type="submit" className="button primary" data-tone={isDestructive ? "bad" : undefined} disabled={!mayGo}>{button}</button>
        </footer>
      </form>
    </Dialog>
  );
}

/** A command to copy. */
export function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <code>{text}</code>
      <Copy text={text} what="command" icon="terminal" />
    </div>
  );
}
