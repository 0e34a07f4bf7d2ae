import { Dialog } from "../ui/Dialog";
import { enter, stay } from "./enter";

/** Asks whether a link may make this browser somebody else's: who opens one need not have meant that. */
export function Instead({ token, said }: { token: string; said: string }) {
  return (
    <Dialog title="Sign in as somebody else?" onClose={stay}>
      <div className="dialog-body">
        <p>A link with another token was opened. {said.split(";")[0]}.</p>
        <p>Go on only if you know who the link is from: what you do then is recorded for whom its token was made.</p>
      </div>
      <footer className="dialog-foot">
        <button type="button" className="button primary" autoFocus onClick={stay}>Stay as you are</button>
        <button type="button" className="button" onClick={() => void enter(token, true)}>Sign in by the link</button>
      </footer>
    </Dialog>
  );
}
