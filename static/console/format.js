// How times, sizes and payloads are written on the page.

// clock writes milliseconds since 1970 as local HH:MM:SS.mmm.
export const clock = (at) => `${new Date(at).toTimeString().slice(0, 8)}.${String(at % 1000).padStart(3, '0')}`;

// seconds writes a duration in milliseconds as 1.234, and elapsed as 1:02:03.
export const seconds = (ms) => (ms / 1000).toFixed(3);

export function elapsed(ms) {
  const total = Math.floor(ms / 1000), two = (n) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

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

const room = new Uint8Array(64 << 10); // a unit of text takes three bytes at most

// utf8Length is the size of text on the wire. It makes no copy of all of it.
export function utf8Length(text) {
  let size = 0;
  for (let at = 0, part; at < text.length; at += part.length) {
    part = cut(text, at, room.length / 4);
    size += encoder.encodeInto(part, room).written;
  }
  return size;
}

// cut is at most n units of text from a place on, not ending inside a character.
export function cut(text, from, n) {
  let end = Math.min(text.length, from + n);
  if (/^[\udc00-\udfff]/.test(text.slice(end, end + 1))) end--;
  return text.slice(from, end);
}

// Characters that show nothing, or change how others show, have a name; the
// rest of their kind is known by number.
const names = new Map();
for (const [first, list] of Object.entries({
  0: 'NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US',
  0x7f: 'DEL PAD HOP BPH NBH IND NEL SSA ESA HTS HTJ VTS PLD PLU RI SS2 SS3 DCS PU1 PU2 STS CCH MW SPA EPA SOS SGC SCI CSI ST OSC PM APC',
  0xad: 'SHY', 0x61c: 'ALM', 0x200b: 'ZWSP ZWNJ ZWJ LRM RLM', 0x2028: 'LS PS LRE RLE PDF LRO RLO', 0x2060: 'WJ', 0x2066: 'LRI RLI FSI PDI', 0xfeff: 'BOM',
})) list.split(' ').forEach((name, i) => names.set(Number(first) + i, name));

// The selectors U+FE00 to U+FE0F stay, as emoji end with them; so do Arabic
// signs, which are of category Cf but seen. Safari 16.4 has no flag v.
const unseen = /(?![\t\n\ufe00-\ufe0f\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2])[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu;

// A joiner stays where it belongs to what is written: within an emoji, and between
// letters of scripts that join theirs.
const joins = /^[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]/u, joined = /^\p{Extended_Pictographic}/u;
const scripts = String.raw`[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Nko}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}]`;
const letterBefore = new RegExp(`${scripts}\\p{M}*$`, 'u'), letterAfter = new RegExp(`^${scripts}`, 'u');

// visible writes control, bidi and zero-width characters by name (‹ESC›), so that
// what a program really wrote can be seen. Tab and newline do what they say.
export function visible(text) {
  return text.replace(unseen, (c, at) => {
    if ((c === '\u200c' || c === '\u200d') && isJoiner(c, text.slice(Math.max(0, at - 8), at), text.slice(at + 1, at + 3))) return c;
    const code = c.codePointAt(0);
    return `‹${names.get(code) ?? `U+${code.toString(16).toUpperCase().padStart(4, '0')}`}›`;
  });
}

const isJoiner = (c, before, after) => c === '\u200d' && joins.test([...before].at(-1) ?? '') && joined.test(after) || letterBefore.test(before) && letterAfter.test(after);

const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

// textOf is a payload, a string or an ArrayBuffer, as text: what is not UTF-8
// becomes U+FFFD.
export const textOf = (data) => (typeof data === 'string' ? data : lenient.decode(data));

// readable is a binary payload as text if it is UTF-8, else null. A character cut
// at either end, as pieces of a stream have, becomes U+FFFD.
export function readable(buffer) {
  const all = new Uint8Array(buffer);
  let start = 0;
  while (start < 3 && (all[start] & 0xc0) === 0x80) start++;
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text;
  try {
    text = strict.decode(all.subarray(start), { stream: true });
  } catch {
    return null;
  }
  if (!text && all.length) return null;
  let end = '';
  try {
    strict.decode();
  } catch {
    end = '\ufffd';
  }
  return (start ? '\ufffd' : '') + text + end;
}

// hex writes bytes as "ff 00 01".
export const hex = (all) => Array.from(all, (b) => b.toString(16).padStart(2, '0')).join(' ');
