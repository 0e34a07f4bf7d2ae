// Server-sent events, read from the body of an answer. `EventSource` is not used: it can send no header, and says
// nothing of why it failed.

/** One event of a stream. */
export interface Told {
  id: string | null;
  name: string;
  data: string;
}

/** Takes text as it comes, in pieces of any size, and gives whole events. */
export class Parser {
  #rest = "";
  #id: string | null = null;
  #name = "";
  #data: string[] = [];

  take(piece: string): Told[] {
    const told: Told[] = [];
    // A piece may end between the two characters of a line's end: such an end is left for the next.
    const text = this.#rest + piece;
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== "") this.#field(line);
      else if (this.#data.length > 0) told.push(this.#end());
      else this.#name = "";
    }
    return told;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#name = value;
    else if (field === "id") this.#id = value;
  }

  #end(): Told {
    const told = { id: this.#id, name: this.#name || "message", data: this.#data.join("\n") };
    this.#name = "";
    this.#data = [];
    return told;
  }
}
