// How times, sizes and payloads are written on the page.

// clock writes milliseconds since 1970 as local HH:MM:SS.mmm.
export const clock = (at) => `${new Date(at).toTimeString().slice(0, 8)}.${String(at % 1000).padStart(3, '0')}`;

const grouped = new Intl.NumberFormat('en');

// count writes 10000 as 10,000.
export const count = (n) => grouped.format(n);

// plural writes "1 message" and "2 messages".
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

// bytes writes a size with three digits or so: 17 B, 1.5 KiB, 20 MiB.
export function bytes(n) {
  if (n < 1024) return `${n} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let unit = -1;
  do {
    n /= 1024;
    unit++;
  } while (n >= 1023.5 && unit < units.length - 1);
  return `${n < 9.95 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

const encoder = new TextEncoder();

// utf8Length is the size of text on the wire.
export const utf8Length = (text) => encoder.encode(text).length;

// cut is at most n units of text from a place on, not ending inside a character.
export function cut(text, from, n) {
  let end = Math.min(text.length, from + n);
  if (/^[\udc00-\udfff]/.test(text.slice(end, end + 1))) end--;
  return text.slice(from, end);
}

const controls = 'NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(' ');

// visible writes control characters by name (‹ESC›), so that what a program
// really wrote can be seen. Tab and newline do what they say.
export function visible(text) {
  return text.replace(/[\0-\x08\x0b-\x1f\x7f]/g, (c) => `‹${controls[c.charCodeAt(0)] ?? 'DEL'}›`);
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const HEX_BYTES = 32;

// decode turns a binary payload into what a reader can use: its text if it is
// valid UTF-8, else its first bytes in hexadecimal.
export function decode(buffer) {
  try {
    return { text: strict.decode(buffer), hex: false };
  } catch {
    const head = new Uint8Array(buffer.slice(0, HEX_BYTES));
    const digits = Array.from(head, (b) => b.toString(16).padStart(2, '0')).join(' ');
    return { text: digits + (buffer.byteLength > HEX_BYTES ? ' …' : ''), hex: true };
  }
}
