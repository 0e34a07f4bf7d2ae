import { useEffect, useId, useRef, type ReactNode } from "react";
import { Icon, type IconName } from "./icons";

export interface MenuItem {
  label: string;
  icon?: IconName;
  isBad?: boolean;
  /** Why it cannot be chosen now. */
  why?: string | undefined;
  run: () => void;
}

/** A button that opens a list of things to do. Arrow keys walk it. */
export function Menu({ label, items, children }: { label: string; items: readonly MenuItem[]; children?: ReactNode }) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const opened = list.current;
    const place = () => { if (button.current && opened) put(opened, button.current); };
    opened?.addEventListener("toggle", place);
    return () => { opened?.removeEventListener("toggle", place); };
  }, []);
  const walk = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const all = [...(list.current?.querySelectorAll<HTMLButtonElement>("button:not(:disabled)") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLButtonElement);
    all[(at + step + all.length) % all.length]?.focus();
  };
  return (
    <>
      <button ref={button} type="button" className={children ? "button" : "icon-button"} aria-label={children ? undefined : label}
        title={label} popoverTarget={id} aria-haspopup="menu">
        {children ?? <Icon name="more" />}
      </button>
      <div ref={list} id={id} popover="auto" className="menu" role="menu" aria-label={label} onKeyDown={walk}>
        {items.map((item) => (
          <button key={item.label} type="button" role="menuitem" className="menu-item" data-tone={item.isBad ? "bad" : undefined}
            disabled={item.why !== undefined} title={item.why}
            onClick={() => { list.current?.hidePopover(); item.run(); }}>
            {item.icon && <Icon name={item.icon} />}
            {item.label}
          </button>
        ))}
      </div>
    </>
  );
}

/** Puts an opened list below its button, and within the window. */
function put(list: HTMLElement, button: HTMLElement): void {
  const { bottom, top, right } = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = list;
  const fits = bottom + height + 8 < innerHeight;
  list.style.top = `${fits ? bottom + 4 : Math.max(8, top - height - 4)}px`;
  list.style.left = `${Math.min(Math.max(8, right - width), innerWidth - width - 8)}px`;
  list.querySelector<HTMLElement>("button:not(:disabled)")?.focus();
}
