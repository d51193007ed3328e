// The subprotocols that carry a child's streams apart: the first byte of each
// message, which is binary, is its channel. See docs/protocol.md.

export const WSPIPE = 'v1.wspipe';
const protocols = [WSPIPE, 'v5.channel.k8s.io', 'v4.channel.k8s.io'];

export const STDIN = 0, STDOUT = 1, STDERR = 2, CONTROL = 5, CLOSE = 255;
const names = { 0: 'stdin', 1: 'stdout', 2: 'stderr', 3: 'status', 4: 'resize', 5: 'control', 255: 'close' };

export const hasChannels = (subprotocol) => protocols.includes(subprotocol);

// split takes a message, an ArrayBuffer, apart. An empty one has no channel.
export function split(message) {
  const number = new Uint8Array(message)[0];
  const channel = message.byteLength ? names[number] ?? `channel ${number}` : '';
  return { number, channel, content: message.slice(1) };
}

// readControl returns what the server says on the control channel, or null if that
// is nothing to go by: the server may be anyone's.
export function readControl(content) {
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch {
    return null;
  }
}

// join returns the message that carries content, a Uint8Array, on a channel.
export function join(number, content) {
  const message = new Uint8Array(content.length + 1);
  message[0] = number;
  message.set(content, 1);
  return message;
}
