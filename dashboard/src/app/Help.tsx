import { keysNow } from "../keyboard/keys";
import { Dialog } from "../ui/Dialog";

/** The keys that do something on this screen. */
export function Help({ onClose }: { onClose: () => void }) {
  const groups = [...keysNow()].reverse().filter((group) => group.keys.length > 0);
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div className="dialog-body">
        {groups.map((group) => (
          <section key={group.title}>
            <h3 className="quiet">{group.title}</h3>
            <dl className="help-keys">
              {group.keys.map((key) => (
                <div key={key.keys} className="row help-key">
                  <dt>{key.keys.split(" ").map((one) => <kbd key={one}>{one}</kbd>)}</dt>
                  <dd className="grow">{key.says}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
