// One WebSocket at a time, with what passed through it counted.

import { decode, utf8Length } from './format.js';

export class Connection {
  #socket = null;
  #end = null; // what closing.js is told, filled in as things happen
  #on;

  state = 'closed'; // closed, connecting, open or closing
  received = { messages: 0, bytes: 0 };
  sent = { messages: 0, bytes: 0 };

  // on has three functions: state() after every change of it, message(entry)
  // for each message either way, closed(end) once per connection.
  constructor(on) {
    this.#on = on;
  }

  get subprotocol() {
    return this.#socket?.protocol ?? '';
  }

  // connect throws what the browser has against the address or subprotocols.
  connect(address, subprotocols) {
    const socket = new WebSocket(address, subprotocols);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#end.opened = true;
      this.#to('open');
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#socket = socket;
    this.#end = { address, subprotocols, origin: location.origin, opened: false, byUser: false };
    this.received = { messages: 0, bytes: 0 };
    this.sent = { messages: 0, bytes: 0 };
    this.#to('connecting');
  }

  // send is for an open connection only: a socket that is closing takes
  // messages and drops them.
  send(text) {
    const size = utf8Length(text);
    this.#socket.send(text);
    this.#count(this.sent, size);
    this.#on.message({ kind: 'out', at: Date.now(), size, text });
  }

  // disconnect asks for an end with 1000, the code that means it: after any
  // other wspipe may keep the child for a client that comes back.
  disconnect() {
    this.#end.byUser = true;
    this.#to('closing');
    this.#socket.close(1000);
  }

  #receive(data) {
    const binary = typeof data !== 'string';
    const size = binary ? data.byteLength : utf8Length(data);
    this.#count(this.received, size);
    const entry = { kind: 'in', at: Date.now(), size, text: data, binary: false, hex: false };
    if (binary) Object.assign(entry, decode(data), { binary });
    this.#on.message(entry);
  }

  #count(counter, size) {
    counter.messages++;
    counter.bytes += size;
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
