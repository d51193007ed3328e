// One connection at a time, with what passes through it counted. It may outlive
// its WebSocket: the client module makes another one for the same session.

import { connect } from '../client.js';
import { CLOSE, CONTROL, STDIN, WSPIPE, hasChannels, join, readControl, split } from './channels.js';
import { utf8Length } from './format.js';

const encoder = new TextEncoder();

export class Connection {
  #socket = null;
  #end = null; // what closing.js is told, filled in as things happen
  #on;

  state = 'closed'; // closed, connecting, open, lost (and being made again) or closing
  received = { messages: 0, bytes: 0 };
  sent = { messages: 0, bytes: 0 };
  hello = null; // the server's first message on the control channel, once it came

  // on has these functions: state() after every change of it, message(entry) for
  // each message either way, control(message) for each of the server's on the
  // control channel, lost(detail) when the connection is being made again, and
  // closed(end) once when all is over.
  //
  // An entry is {kind, at, size, data, channel}: kind is 'in' or 'out', at is in
  // milliseconds since 1970, size in bytes, data a string or an ArrayBuffer; channel
  // is the channel's name, or empty where there are none.
  constructor(on) {
    this.#on = on;
  }

  get subprotocol() {
    return this.#socket?.protocol ?? '';
  }

  // hasChannels: what is sent is the child's input, to the byte.
  get hasChannels() {
    return hasChannels(this.subprotocol);
  }

  // hasControl: there are signals, sizes, and flow control.
  get hasControl() {
    return this.subprotocol === WSPIPE;
  }

  // offered are the subprotocols of the last connection, of which the server chose.
  get offered() {
    return this.#end?.subprotocols ?? [];
  }

  // resumes: the connection can be made again, for the same child.
  get resumes() {
    return Boolean(this.#end?.resume);
  }

  // waiting is how many bytes have been sent and not left the browser.
  get waiting() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  // open throws what the browser has against the address or subprotocols. With
  // resume the connection is made again when it is lost, or the page is loaded anew.
  open(address, { subprotocols, resume }) {
    // A session has channels or not: one is not gone on with as the other.
    const socket = connect(address, { protocols: subprotocols, resume, key: `console ${subprotocols}` });
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#end.opened = true;
      this.#to('open');
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onreconnecting = ({ detail }) => {
      this.state = 'lost';
      this.#on.lost(detail);
      this.#on.state();
    };
    socket.onresumed = () => this.#to('open');
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#socket = socket;
    this.hello = null;
    this.#end = { address, subprotocols, resume, origin: location.origin, opened: false, byUser: false };
    this.received = { messages: 0, bytes: 0 };
    this.sent = { messages: 0, bytes: 0 };
    this.#to('connecting');
  }

  // send sends a string or a Uint8Array. It is for an open connection, or one
  // that is being made again, and throws if too much waits for that.
  send(data) {
    const channel = this.hasChannels ? 'stdin' : '';
    this.#socket.send(channel ? join(STDIN, typeof data === 'string' ? encoder.encode(data) : data) : data);
    const size = typeof data === 'string' ? utf8Length(data) : data.length;
    count(this.sent, size);
    this.#on.message({ kind: 'out', at: Date.now(), size, data: typeof data === 'string' ? data : data.slice().buffer, channel });
  }

  // control sends {type, ...}, if the server takes such: a signal, a size, pause
  // or continue.
  control(message) {
    if (!this.hasControl || this.state !== 'open') return;
    this.#socket.send(join(CONTROL, encoder.encode(JSON.stringify(message))));
  }

  // endInput lets the child read to the end of what was sent.
  endInput() {
    this.#socket.send(join(CLOSE, Uint8Array.of(STDIN)));
  }

  // disconnect asks for an end with 1000, the code that means it: after any
  // other wspipe may keep the child for a client that comes back.
  disconnect() {
    this.#end.byUser = true;
    this.#to('closing');
    this.#socket.close(1000);
  }

  // reconnect drops the connection as a failing network would, and makes another
  // at once. It is for one with resume.
  reconnect() {
    this.#socket.reconnect();
  }

  #receive(data) {
    const at = Date.now();
    if (typeof data === 'string') {
      const size = utf8Length(data);
      count(this.received, size);
      this.#on.message({ kind: 'in', at, size, data, channel: '' });
      return;
    }
    count(this.received, data.byteLength);
    if (!this.hasChannels) {
      this.#on.message({ kind: 'in', at, size: data.byteLength, data, channel: '' });
      return;
    }
    const { number, channel, content } = split(data);
    const said = number === CONTROL ? readControl(content) : null;
    if (said?.type === 'hello') this.hello = said;
    this.#on.message({ kind: 'in', at, size: content.byteLength, data: content, channel });
    if (said) this.#on.control(said);
  }

  #closed(code, reason) {
    const end = { ...this.#end, code, reason };
    this.#socket = null;
    this.state = 'closed';
    this.#on.state();
    this.#on.closed(end);
  }

  #to(state) {
    this.state = state;
    this.#on.state();
  }
}

function count(counter, size) {
  counter.messages++;
  counter.bytes += size;
}
