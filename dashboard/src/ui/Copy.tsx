import { useEffect, useState, type ReactNode } from "react";
import { Icon, type IconName } from "./icons";
import { say } from "./say";

/** Puts text on the clipboard; says whether that worked. Without a secure origin there is none, so the old way is tried. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr";
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}

interface Props {
  text: string;
  /** What is copied, in words: `id`, `command`. */
  what: string;
  icon?: IconName;
  children?: ReactNode;
}

/** A button that copies. */
export function Copy({ text, what, icon = "copy", children }: Props) {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    if (!isDone) return;
    const timer = setTimeout(() => { setDone(false); }, 1_500);
    return () => { clearTimeout(timer); };
  }, [isDone]);
  const go = async () => {
    const worked = await copy(text);
    setDone(worked);
    say(worked ? `${what} copied` : `${what} could not be copied: the browser forbids it`);
  };
  const label = `Copy ${what}`;
  return (
    <button type="button" className={children ? "button small-button" : "icon-button"} title={label} aria-label={label}
      onClick={(event) => { event.stopPropagation(); void go(); }}>
      <Icon name={isDone ? "check" : icon} />
      {children}
    </button>
  );
}

/** Text with a button behind it that copies it. */
export function Copyable({ text, what, isCut = false }: { text: string; what: string; isCut?: boolean }) {
  return (
    <span className="copyable">
      <code className={isCut ? "cut" : undefined} title={isCut ? text : undefined}>{text}</code>
      <Copy text={text} what={what} />
    </span>
  );
}
