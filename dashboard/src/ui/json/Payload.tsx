import { useMemo, useState } from "react";
import { bytes as size } from "../../time/format";
import { Copy } from "../Copy";
import { Icon } from "../icons";
import { Json } from "./Json";
import { MOST_SHOWN, shown } from "./payload";

/** Bytes that a run carries: as a tree if they are JSON, else as text or as a dump. */
export function Payload({ bytes, name }: { bytes: Uint8Array; name: string }) {
  const what = useMemo(() => shown(bytes), [bytes]);
  const [isRaw, setRaw] = useState(false);
  const isTree = what.kind === "json" && !isRaw;
  return (
    <div className="payload">
      <div className="row payload-head">
        <span className="quiet small num grow">{what.kind === "bytes" ? "bytes" : what.kind} · {size(bytes.length)}</span>
        {what.kind === "json" && typeof what.value === "object" && what.value !== null && (
          <button type="button" className="button small-button" aria-pressed={isRaw} onClick={() => { setRaw(!isRaw); }}>Raw</button>
        )}
        <Copy text={what.text} what={name} />
        <button type="button" className="icon-button" aria-label={`Download ${name}`} title={`Download ${name}`} onClick={() => { download(bytes, name); }}>
          <Icon name="download" />
        </button>
      </div>
      {isTree ? <Json value={what.value} /> : <pre className="payload-text" tabIndex={0}>{what.text === "" ? <span className="quiet">nothing</span> : what.text}</pre>}
      {(what.kind !== "json" && bytes.length > (what.kind === "bytes" ? 4096 : MOST_SHOWN)) && (
        <p className="quiet small">Only the beginning is shown; download it to see all.</p>
      )}
    </div>
  );
}

/** Saves bytes as a file. They are octets, whatever they look like: nothing opens them. */
function download(bytes: Uint8Array, name: string): void {
  const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  URL.revokeObjectURL(url);
}
