import { useId, useState, type SyntheticEvent } from "react";
import { told } from "../api/problem";
import { Icon } from "../ui/icons";
import { enter, isWrongToken, useSignIn } from "./enter";
import "./signin.css";

/** Asks who one is. */
export function SignIn() {
  const { sign, error } = useSignIn();
  const [token, setToken] = useState("");
  const id = useId();
  const isEntering = sign === "entering";
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const given = token;
    setToken("");
    void enter(given);
  };
  return (
    <main className="signin" id="main">
      <form className="card signin-card" onSubmit={submit}>
        <p className="signin-brand"><Icon name="wave" size={22} />vastflow</p>
        <h1>Sign in</h1>
        <p className="quiet">This service wants to know who asks. Paste a token, or open the link that the service printed when it made one.</p>
        {error !== null && <Wrong error={error} />}
        <div className="field">
          <label htmlFor={id} className="field-name">Token</label>
          <input id={id} className="input mono" type="password" value={token} autoComplete="off" spellCheck={false} autoFocus
            placeholder="vastflow_live_…" onChange={(event) => { setToken(event.target.value); }} />
        </div>
        <button type="submit" className="button primary" disabled={isEntering || token.trim() === ""}>
          {isEntering ? "Signing in…" : "Sign in"}
        </button>
        <p className="quiet small">
          The browser gets a cookie that pages cannot read, for twelve hours at most; the token itself is kept nowhere here.
          A new token: <code>vastflow tokens make NAME --scope operator</code>
        </p>
      </form>
    </main>
  );
}

function Wrong({ error }: { error: unknown }) {
  const { title, detail } = told(error);
  return (
    <div className="note" data-tone="bad" role="alert">
      <Icon name="attention" />
      <div>
        <p><b>{title}</b></p>
        <p>{detail}</p>
        {!isWrongToken(error) && <p>The token may be good; try again.</p>}
      </div>
    </div>
  );
}
