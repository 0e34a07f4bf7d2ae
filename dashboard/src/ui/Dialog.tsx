import { useEffect, useId, useRef, type ReactNode } from "react";
import { Icon } from "./icons";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** At the side, over the full height, instead of in the middle. */
  isDrawer?: boolean;
  isWide?: boolean;
}

/** A window over the page. The browser keeps the focus inside, closes it on Escape, and gives the focus back. */
export function Dialog({ title, onClose, children, isDrawer = false, isWide = false }: Props) {
  const box = useRef<HTMLDialogElement>(null);
  const name = useId();
  useEffect(() => {
    const dialog = box.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => { dialog?.close(); };
  }, []);
  const kind = isDrawer ? "dialog drawer" : isWide ? "dialog wide" : "dialog";
  return (
    <dialog ref={box} className={kind} aria-labelledby={name}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onMouseDown={(event) => { if (event.target === box.current) onClose(); }}>
      <div className="dialog-inner">
        <header className="dialog-head">
          <h2 id={name} className="grow cut">{title}</h2>
          <button type="button" className="icon-button" aria-label="Close" onClick={onClose}><Icon name="cross" /></button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
