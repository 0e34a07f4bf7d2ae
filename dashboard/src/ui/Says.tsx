import { Icon } from "./icons";
import { unsay, useSaid } from "./say";

/** Where the page says something in passing. */
export function Says() {
  const said = useSaid();
  return (
    <div className="says" role="status" aria-live="polite">
      {said.map(({ id, text, isBad }) => (
        <div key={id} className="said" data-tone={isBad ? "bad" : "ok"}>
          <span className="grow">{text}</span>
          <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => { unsay(id); }}><Icon name="cross" /></button>
        </div>
      ))}
    </div>
  );
}
