// What the fields of a frame mean, in words. Sections are those of RFC 6455.

import { codeName } from '../end.js';

const opcodes = {
  continuation: [0, 'a further fragment of the message that an earlier frame began (section 5.4)'],
  text: [1, 'text in UTF-8: this frame begins a message, and text that is not UTF-8 ends the connection with 1007 (section 5.6)'],
  binary: [2, 'any bytes: this frame begins a message (section 5.6)'],
  close: [8, 'the closing handshake: the other end answers with a close frame, and then the TCP connection is closed (section 5.5.1)'],
  ping: [9, 'a ping: the other end answers with a pong that has the same payload (section 5.5.2)'],
  pong: [10, 'a pong: the answer to a ping (section 5.5.3)'],
};

export const opcodeOf = ({ type }) => opcodes[type]?.[0] ?? Number(type.replace('opcode-', ''));
export const isControl = (frame) => opcodeOf(frame) >= 8;

const sender = (dir) => dir === '>' ? 'client' : 'server';
const byteAt = (hex, at) => parseInt(hex.slice(2 * at, 2 * at + 2), 16);
const binary = (n, digits) => n.toString(2).padStart(digits, '0');
const plural = (n, what) => `${n} ${what}${n === 1 ? '' : 's'}`;

// lengthBits is how many bits the header has for the length of the payload.
export const lengthBits = ({ header }) => ({ 126: 16, 127: 64 })[byteAt(header, 1) & 0x7f] ?? 7;

// fields say what each field means, given a frame and who sent it.
const fields = {
  time: (_, { t, dir, conn }) => `The ${sender(dir)} sent this frame ${t.toFixed(6)} seconds after connection ${conn} of this trace began, as the server saw it.`,

  fin: (frame) => {
    if (!frame.fin) return 'FIN is 0: the message continues in the next frame with opcode 0. So an end can send the beginning of a message before it knows the rest (section 5.4).';
    if (isControl(frame)) return 'FIN is 1: this frame is the whole message. Control frames are never fragmented, and may come between the fragments of another message (section 5.5).';
    return `FIN is 1: this frame is the last of its message${frame.type === 'continuation' ? '' : ', and as it is also the first, all of it'} (section 5.4).`;
  },

  rsv: (frame) => {
    if (frame.rsv === '000' && frame.plain) return 'RSV1, RSV2 and RSV3 are 0 here. Of a compressed message only the first frame has RSV1 (RFC 7692, section 6.1).';
    if (frame.rsv === '000') return 'RSV1, RSV2 and RSV3 are 0: they are for extensions, and no extension uses them in this frame (section 5.2).';
    if (frame.rsv === '100') return 'RSV1 is 1: the message is compressed, as both ends agreed on permessage-deflate in the handshake (RFC 7692, section 6).';
    return 'These bits are for extensions. No extension that browsers have uses RSV2 or RSV3, so the receiver must fail the connection with 1002 (section 5.2).';
  },

  opcode: (frame) => {
    const number = opcodeOf(frame);
    return `Opcode ${number} (${binary(number, 4)} in binary), “${frame.type}”: ${opcodes[frame.type]?.[1] ?? 'it is reserved, so the receiver must fail the connection with 1002 (section 5.2)'}.`;
  },

  mask: ({ mask }, { dir }) => {
    if (mask === '-' && dir === '<') return 'MASK is 0, and there is no masking key: a server never masks (section 5.1).';
    if (mask === '-') return 'MASK is 0. A client must mask every frame, so the server closes this connection with 1002 (section 5.1).';
    if (dir === '<') return 'MASK is 1. A server must not mask, so the client closes this connection with 1002 (section 5.1).';
    return `MASK is 1, and the key is ${mask.replace(/..(?=.)/g, '$& ')}: byte i of the payload was combined with byte i modulo 4 of the key by XOR. A client takes a new random key for each frame, so that no page can choose the bytes that a proxy sees (sections 5.3 and 10.3).`;
  },

  len: (frame) => {
    const bits = lengthBits(frame), length = `The payload has ${plural(frame.len, 'byte')}.`;
    if (bits === 7) return `${length} That is less than 126, so the seven bits of the length field hold it (section 5.2).`;
    return `${length} The seven bits of the length field hold ${bits === 16 ? 126 : 127}, which means that the length is in the next ${bits} bits (section 5.2).`;
  },

  plain: ({ plain, len }) => `The compressed message that ends here has ${plain} bytes when inflated; this frame carries ${plural(len, 'byte')} of it (RFC 7692, section 7.2.2).`,

  header: ({ header }) => `The header has ${plural(header.length / 2, 'byte')}: ${header.replace(/..(?=.)/g, '$& ')}. In binary, the first two are ${binary(byteAt(header, 0), 8).replace(/(.)(...)(....)/, '$1 $2 $3')} (FIN, RSV, opcode) and ${binary(byteAt(header, 1), 8).replace(/(.)(.*)/, '$1 $2')} (MASK, payload length).`,

  payload: (frame) => {
    const how = `${frame.mask === '-' ? '' : ', unmasked'}${frame.plain ? ', inflated' : ''}`;
    if (frame.type === 'close') return 'The payload of a close frame is empty, or a code of two bytes and a reason in UTF-8 (section 5.5.1).';
    if (isControl(frame)) return `The payload of a ${frame.type}, at most 125 bytes${how}. A pong repeats that of its ping (section 5.5).`;
    return `The beginning of the payload${how}: ${frame.payload.startsWith('"') ? 'in quotes, as it is UTF-8' : 'in hexadecimal'}${frame.payload.endsWith('...') ? ', and there is more' : ''}.`;
  },

  code: ({ code }) => `Close code ${code}, ${codeName(code)}: the first two bytes of the payload, most significant byte first (section 7.4).`,
  reason: () => 'The reason is the rest of the payload, UTF-8 for people and logs (section 7.1.6). wspipe says there how the program ended.',
  begun: ({ begun }, { dir }) => `The ${begun} began the closing handshake. ${begun === sender(dir) ? 'This is its close frame' : 'This frame answers it'}; after both, the server closes the TCP connection (section 7.1.1).`,
  rtt: ({ rtt }) => `The round trip: this pong came ${rtt} after its ping. wspipe sends a ping every --pingms, and closes a connection on which nothing answers.`,
};

// meaning returns what a field means, as text.
export const meaning = (event, field) => (fields[field] ?? fields.opcode)(event.frame, event);

const headers = {
  host: 'The server that the client wants, as in any HTTP request (section 4.1, item 4).',
  upgrade: 'The client asks to go on with another protocol on this TCP connection: WebSocket (section 4.1, item 5).',
  connection: 'Upgrade is for this hop only: a proxy must not forward it unless it knows it (section 4.1, item 6).',
  'sec-websocket-key': '16 random bytes in base64. The server must answer with a value made from them, which an HTTP cache or another protocol would not do. It is no secret (section 4.1, item 7).',
  'sec-websocket-version': 'Version 13 is that of RFC 6455, the only one in use (section 4.1, item 9).',
  'sec-websocket-protocol': 'The subprotocols that the client offers, or the one that the server chose. It says what the messages mean (section 1.9).',
  'sec-websocket-extensions': 'The extensions that the client offers, or those that the server accepts. permessage-deflate compresses messages (section 9, RFC 7692).',
  'sec-websocket-accept': 'The server’s proof that it has read the key: base64 of the SHA-1 of the key and a fixed GUID (section 4.2.2, item 5).',
  origin: 'The page’s origin, which only browsers send, and no page can change. The server refuses other origins (section 10.2).',
  cookie: 'Browsers send cookies with a handshake, also from pages of other sites. So a server must check Origin. The value is hidden here.',
  'user-agent': 'The browser. It has no meaning for the handshake.',
};

// lineMeaning says what a line of the handshake or an explanation means.
export function lineMeaning({ dir, text, lost }) {
  if (lost || dir === '=') return text.startsWith('Sec-WebSocket-Accept') ? `${headers['sec-websocket-accept']} Here it is computed again from the key.` : 'This is no line of the connection, but says what happened to it.';
  if (/^[A-Z]+ \S+ HTTP\//.test(text)) return 'A WebSocket begins as an HTTP request with GET (section 4.1): its path and query say what the client wants.';
  if (text.startsWith('HTTP/')) return '101 means that the server accepts: after the empty line at the end, both ends send frames (section 4.2.2). With another status there is no WebSocket.';
  return headers[text.split(':')[0].toLowerCase()] ?? 'A header field of HTTP that the WebSocket protocol gives no meaning.';
}
