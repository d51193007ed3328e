// What a client without channels would receive, from the streams of v1.wspipe:
// the console offers that by itself, for stderr, signals and flow control.

const LF = 10;
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

// Streams splits stdout as --framing does, and stderr into lines.
export class Streams {
  #stdout = new Lines();
  #stderr = new Lines();
  #framing;

  // framing is 'lines' or 'bytes'.
  constructor(framing) {
    this.#framing = framing;
  }

  // out returns the messages that are complete with content, an ArrayBuffer.
  out(content) {
    if (this.#framing === 'lines') return this.#stdout.split(content);
    return content.byteLength ? [content] : []; // the server opens a channel with an empty message
  }

  err(content) {
    return this.#stderr.split(content);
  }

  // rest returns the last lines of both, which have no newline.
  rest() {
    return [this.#stdout.rest(), this.#stderr.rest()];
  }

  // partial is the line of stdout that is not complete.
  get partial() {
    return this.#stdout.partial;
  }

  // terminated returns a message, a Uint8Array, as the child reads it.
  terminated(message) {
    if (this.#framing !== 'lines') return message;
    const line = new Uint8Array(message.length + 1);
    line.set(message);
    line[message.length] = LF;
    return line;
  }
}

class Lines {
  #parts = []; // of the line that is not complete

  split(content) {
    const bytes = new Uint8Array(content), last = bytes.lastIndexOf(LF);
    if (last < 0) {
      if (bytes.length) this.#parts.push(bytes);
      return [];
    }
    // No character has the byte of a newline in it.
    const text = this.#take(bytes.subarray(0, last));
    if (last + 1 < bytes.length) this.#parts.push(bytes.subarray(last + 1));
    return text.split('\n').map((line) => line.endsWith('\r') ? line.slice(0, -1) : line);
  }

  rest() {
    if (!this.#parts.length) return [];
    return [this.#take(new Uint8Array())];
  }

  get partial() {
    return this.#parts.length ? decode(this.#parts) : '';
  }

  #take(end) {
    const text = decode([...this.#parts, end]);
    this.#parts = [];
    return text;
  }
}

function decode(parts) {
  if (parts.length === 1) return lenient.decode(parts[0]);
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return lenient.decode(all);
}
