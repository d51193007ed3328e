// Splits files into messages, each with its end in the file. A file is read in parts,
// as its messages are sent: it may be larger than the memory.

const CHUNK = 1 << 20;
const PIECE = 1 << 16;
const LF = 10, CR = 13;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// pieces yields all of file, 64 KiB at a time.
export async function* pieces(file) {
  for await (const [chunk, start] of chunks(file)) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const piece = chunk.subarray(at, at + PIECE);
      yield [piece, start + at + piece.length];
    }
  }
}

// lines yields the lines of file, with newline in place of their ends. One of
// more bytes than limit is an Error.
export async function* lines(file, limit, newline) {
  let number = 1, parts = [], size = 0; // the line that is not complete
  const end = new TextEncoder().encode(newline);
  const line = (last) => {
    let whole = parts.length ? join([...parts, last]) : last;
    if (whole.at(-1) === CR) whole = whole.subarray(0, -1);
    if (whole.length > limit) throw tooLong(number);
    [parts, size] = [[], 0];
    number++;
    return textOr(end.length ? join([whole, end]) : whole);
  };
  for await (const [chunk, start] of chunks(file)) {
    let from = 0;
    for (let at; (at = chunk.indexOf(LF, from)) >= 0; from = at + 1) yield [line(chunk.subarray(from, at)), start + at + 1];
    if (from === chunk.length) continue;
    parts.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > limit + 1) throw tooLong(number);
  }
  if (size) yield [line(new Uint8Array()), file.size];
}

// whole yields all of file at once.
export async function* whole(file) {
  yield [textOr(new Uint8Array(await file.arrayBuffer())), file.size];
}

// isText tells whether file is UTF-8, as far as its first 64 KiB show.
export async function isText(file) {
  try {
    const head = await file.slice(0, PIECE).arrayBuffer();
    return !new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true }).includes('\0');
  } catch {
    return false;
  }
}

async function* chunks(file) {
  for (let at = 0; at < file.size; at += CHUNK) yield [new Uint8Array(await file.slice(at, at + CHUNK).arrayBuffer()), at];
}

// textOr is the text of bytes, or the bytes where they are none: nothing is lost.
function textOr(bytes) {
  try {
    return strict.decode(bytes);
  } catch {
    return bytes;
  }
}

function join(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const tooLong = (number) => new Error(`line ${number} is too long for one message; send the file in pieces.`);
