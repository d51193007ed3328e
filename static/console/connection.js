// One connection at a time, with what passes through it counted. It may outlive
// its WebSocket: the client module makes another one for the same session.

import { connect } from '../client.js';
import { CLOSE, CONTROL, STDERR, STDIN, STDOUT, WSPIPE, hasChannels, join, readControl, split } from './channels.js';
import { utf8Length } from './format.js';
import { Streams } from './streams.js';

const encoder = new TextEncoder();
const noTraffic = () => ({ messages: 0, bytes: 0 });

export class Connection {
  #socket = null;
  #end = null; // what end.js explains, filled in as things happen
  #on;
  #state;
  #streams = null; // of a connection that looks like one without channels
  #holders = new Set(); // components that need the server to pause

  received = noTraffic();
  sent = noTraffic();
  streamBytes = 0; // of stdout and stderr, as the server sent them
  lastText = ''; // the last text that was sent
  hello = null; // the server's first message on the control channel

  // state is a State, whose transitions the connection makes. on has these functions:
  // message(entry) for each message either way, output({kind, channel, data}) for
  // whatever the server sends, as it comes, and received() after the messages of that,
  // control(message) for each message on the control channel, broken(framing) if stdout
  // does not follow its framing, lost(detail) when the connection is being made again, and
  // closed(end) once, at the end.
  //
  // An entry is {kind, at, size, data, channel}: kind is 'in' or 'out', at is in
  // milliseconds since 1970, size in bytes, data a string or an ArrayBuffer; channel
  // is the channel's name, or empty where there are none.
  constructor(state, on) {
    this.#state = state;
    this.#on = on;
  }

  get state() { return this.#state.phase; }
  get subprotocol() { return this.#socket?.protocol ?? ''; }
  get extensions() { return this.#socket?.extensions ?? ''; }
  get readyState() { return this.#socket?.readyState ?? WebSocket.CLOSED; }

  // hasChannels: what is sent is the child's stdin, to the byte.
  get hasChannels() { return !this.#streams && hasChannels(this.subprotocol); }

  // hasControl: there are signals, sizes, and flow control.
  get hasControl() { return this.subprotocol === WSPIPE; }

  // offered are the subprotocols of the last connection, of which the server chose;
  // framing is that of its automatic channels, if any.
  get offered() { return this.#end?.subprotocols ?? []; }
  get framing() { return this.#end?.framing ?? ''; }

  // resumes: the connection can be made again, for the same child.
  get resumes() { return Boolean(this.#end?.resume); }

  // waiting is how many bytes have been sent and not left the browser.
  get waiting() { return this.#socket?.bufferedAmount ?? 0; }

  // partial is a line of stdout without its newline.
  get partial() { return this.#streams?.partial ?? ''; }

  // open throws what the browser has against the address or subprotocols. With
  // resume the connection is made again when it is lost, or the page is reloaded.
  // With framing, the messages of v1.wspipe become those of a client without it.
  // lineEnd ends each text that is sent, for a terminal.
  open(address, { subprotocols, resume, framing = '', lineEnd = '', key = '' }) {
    // A session has channels or not: one is not resumed as the other.
    const socket = connect(address, { protocols: subprotocols, resume, key: `console${key} ${subprotocols}` });
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#end.opened = true;
      if (framing && this.hasControl) this.#streams = new Streams(framing, this.#on.broken);
      this.#state.open();
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onreconnecting = ({ detail }) => {
      this.#on.lost(detail);
      this.#state.lose();
    };
    socket.onresumed = () => this.#state.resume();
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#socket = socket;
    this.#streams = this.hello = null;
    this.#holders.clear();
    this.#end = { address, subprotocols, framing, lineEnd, resume, origin: location.origin, opened: false, byUser: false };
    this.received = noTraffic();
    this.sent = noTraffic();
    this.streamBytes = 0;
    this.#state.connect();
  }

  // send sends a message, a string or a Uint8Array. It is for an open connection, or
  // one that is being made again, and throws if too much waits for that.
  send(data) {
    const bytes = () => typeof data === 'string' ? encoder.encode(data) : data;
    // With channels nobody else adds the end of a line.
    if (typeof data === 'string') data += this.#end.lineEnd || (this.hasChannels ? '\n' : '');
    if (this.#streams) this.#socket.send(join(STDIN, this.#streams.terminated(bytes())));
    else this.#socket.send(this.hasChannels ? join(STDIN, bytes()) : data);
    this.#sent(data);
  }

  // type sends what is typed into a terminal, a Uint8Array: it has its line ends.
  type(data) {
    this.#socket.send(this.#streams || this.hasChannels ? join(STDIN, data) : data);
    this.#sent(data);
  }

  // control sends {type, ...}, if the server has a control channel: a signal, a
  // size, pause or continue.
  control(message) {
    if (!this.hasControl || this.state !== 'open') return;
    this.#socket.send(join(CONTROL, encoder.encode(JSON.stringify(message))));
  }

  // hold has the server pause until each holder has called release.
  hold(holder) {
    if (!this.#holders.size) this.control({ type: 'pause' });
    this.#holders.add(holder);
  }

  release(holder) {
    if (this.#holders.delete(holder) && !this.#holders.size) this.control({ type: 'continue' });
  }

  // resumed tells a new connection of a pause.
  resumed() {
    if (this.#holders.size) this.control({ type: 'pause' });
  }

  // endInput lets the child read to the end of what was sent.
  endInput() {
    this.#socket.send(join(CLOSE, Uint8Array.of(STDIN)));
  }

  // disconnect asks for an end with 1000, the code that means it: after any
  // other wspipe may keep the child for a client that comes back.
  disconnect() {
    this.#end.byUser = true;
    this.#holders.clear();
    this.#state.close();
    this.#socket.close(1000);
  }

  // abandon ends a connection that disconnect has begun to close without waiting
  // for the server's answer.
  abandon() {
    const socket = this.#socket;
    for (const event of ['onopen', 'onmessage', 'onreconnecting', 'onresumed', 'onclose']) socket[event] = null;
    this.#end.unanswered = true;
    this.#closed(1006, '');
  }

  // drop drops the connection as a failing network would, and makes another at
  // once. It is for one with resume.
  drop() {
    this.#socket.reconnect();
  }

  #receive(data) {
    const at = Date.now();
    if (typeof data === 'string' || !hasChannels(this.subprotocol)) {
      const size = typeof data === 'string' ? utf8Length(data) : data.byteLength;
      this.streamBytes += size;
      this.#whole({ kind: 'in', at, size, data, channel: '' });
      return this.#on.received();
    }
    const { number, channel, content } = split(data);
    const message = number === CONTROL ? readControl(content) : null;
    if (message?.type === 'hello') this.hello = message;
    if (number === STDOUT || number === STDERR) this.streamBytes += content.byteLength;
    const entry = { kind: 'in', at, size: content.byteLength, data: content, channel };
    if (this.#streams) this.#split(number, entry);
    else this.#whole(entry);
    if (message) this.#on.control(message);
    this.#on.received();
  }

  #whole(entry) {
    count(this.received, entry.size);
    this.#on.output(entry);
    this.#on.message(entry);
  }

  #split(number, entry) {
    this.#on.output(entry);
    if (number === STDOUT) for (const data of this.#streams.out(entry.data)) this.#part(entry.at, '', data);
    if (number === STDERR) for (const line of this.#streams.err(entry.data)) this.#part(entry.at, 'stderr', line);
  }

  #part(at, channel, data) {
    const size = typeof data === 'string' ? utf8Length(data) : data.byteLength;
    if (!channel) count(this.received, size);
    this.#on.message({ kind: 'in', at, size, data, channel });
  }

  #sent(data) {
    const size = typeof data === 'string' ? utf8Length(data) : data.length;
    if (typeof data === 'string') this.lastText = data.replace(/[\r\n]+$/, '');
    count(this.sent, size);
    const channel = this.hasChannels ? 'stdin' : '';
    this.#on.message({ kind: 'out', at: Date.now(), size, data: typeof data === 'string' ? data : data.slice().buffer, channel });
  }

  #closed(code, reason) {
    const [out, err] = this.#streams?.rest() ?? [[], []];
    for (const line of out) this.#part(Date.now(), '', line);
    for (const line of err) this.#part(Date.now(), 'stderr', line);
    const end = { ...this.#end, code, reason };
    this.#socket = null;
    this.#state.end();
    this.#on.closed(end);
  }
}

function count(counter, size) {
  counter.messages++;
  counter.bytes += size;
}
