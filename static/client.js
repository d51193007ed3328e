// wspipe's client for pages: a WebSocket that outlives the network and the page.
//
//   import { connect } from '/.wspipe/client.js';
//   connect('/').onmessage = ({ data }) => console.log(data);
//
// With a server that was started with --resume, the child goes on while the
// client is away, and the client goes on where it was: each message arrives
// once, in order. What differs from a WebSocket stands in client.d.ts.

const CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3;

const ELSEWHERE = 4010, HISTORY_LOST = 4011; // wspipe's own close codes
const GIVEN_UP = 4999; // ours: with 1000 the server would end the session
/** Close codes after which another connection is worth a try; all others are an end. */
const worthATry = [1001, 1002, 1006, 1008, 1012, 1013];
/** Ends after which the session may still be there: the next connect() asks for it. */
const mayLive = [1006, ELSEWHERE, HISTORY_LOST];

/** Subprotocols whose messages begin with a byte for the channel. */
const channelProtocols = ['v1.wspipe', 'v5.channel.k8s.io', 'v4.channel.k8s.io'];
const STDOUT = 1, STDERR = 2;

// Milliseconds.
const firstDelay = 1000, longestDelay = 30_000, handshakePatience = 10_000, stableAfter = 10_000, lockPatience = 1000;

/** CloseEvent for Node 20 and 22, which have none. */
const CloseEvent = globalThis.CloseEvent ?? class CloseEvent extends Event { constructor(type, init) { Object.assign(super(type), init); } };

/** connect opens a WebSocket to url, which may be relative, and http: or https:. */
export function connect(url, options = {}) {
  return new Socket(url, options);
}

class Socket extends EventTarget {
  static {
    for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED })) Object.defineProperty(this.prototype, name, { value });
    for (const type of ['open', 'message', 'error', 'close', 'reconnecting', 'resumed']) {
      Object.defineProperty(this.prototype, `on${type}`, {
        get() { return this.#handlers[type] ?? null; },
        set(handler) {
          this.removeEventListener(type, this.#handlers[type]);
          this.#handlers[type] = typeof handler === 'function' ? handler : null;
          this.addEventListener(type, this.#handlers[type]);
        },
      });
    }
  }

  binaryType = 'blob';
  #handlers = {};
  #url;
  #protocols;
  #state = CONNECTING;
  #ws = null; // the WebSocket in use; events of others are ignored
  #agreed = { protocol: '', extensions: '' };
  #session = null; // null without resume
  #goesOn; // the page has what came before it
  #received;
  #queue = []; // what was sent while there was no connection
  #queued = 0; // its size in bytes
  #queueLimit;
  #attempt = 0; // of reconnecting
  #timer; // of the next attempt, or of the patience with this one
  #openedAt = 0;
  #receivedBefore = 0; // #received when it opened
  #abandoned = 0; // handshakes that were given up, and may yet reach the server
  #failed = false; // there was an error event
  #page = new AbortController(); // ends what listens to the page

  constructor(url, { resume = true, protocols = [], after, queue = 1 << 20, key = '' }) {
    super();
    this.#url = webSocketURL(url);
    this.#protocols = protocols;
    this.#goesOn = Number.isInteger(after);
    this.#received = this.#goesOn ? after : 0;
    this.#queueLimit = queue;
    if (resume) this.#session = new Session(this.#url, key);
    if (!this.#session?.isOld) this.#dial(); // now, so that what it throws reaches the caller
    this.#session?.claim().then(() => !this.#ws && this.#state === CONNECTING && this.#dial());
    if (resume) this.#listenToPage();
  }

  get url() { return this.#url.href; }
  get readyState() { return this.#state; }
  get protocol() { return this.#agreed.protocol; }
  get extensions() { return this.#agreed.extensions; }
  get bufferedAmount() { return this.#queued + (this.#ws?.bufferedAmount ?? 0); }
  get received() { return this.#received; }

  send(data) {
    if (this.#ws?.readyState === OPEN || this.#state === CONNECTING) {
      if (!this.#ws) throw new DOMException('The connection is not open yet.', 'InvalidStateError');
      return this.#ws.send(data);
    }
    const [message, size] = copyOf(data);
    if (this.#state === OPEN) {
      if (this.#queued + size > this.#queueLimit) {
        throw new DOMException(`More than ${this.#queueLimit} bytes would wait for a connection.`, 'QuotaExceededError');
      }
      this.#queue.push(message);
    }
    this.#queued += size; // also of what is too late, as a WebSocket counts it
  }

  close(code, reason) {
    if (this.#state >= CLOSING) return;
    if (this.#ws && (this.#state === CONNECTING || this.#ws.readyState !== CONNECTING)) {
      this.#ws.close(...[code, reason].filter((value) => value !== undefined));
      this.#state = CLOSING;
      return;
    }
    this.#state = CLOSING;
    this.#abandon();
    setTimeout(() => this.#end({ code: 1006, reason: '', wasClean: false }));
  }

  reconnect() {
    if (this.#state !== OPEN || !this.#session) throw new DOMException('There is no session to go on with.', 'InvalidStateError');
    this.#lost(1006);
    if (this.#state === OPEN) this.#dial();
  }

  #dial() {
    clearTimeout(this.#timer);
    const url = new URL(this.#url);
    if (this.#session) addParameter(url, 'wspipe_session', this.#session.id);
    if (this.#session && this.#goesOn) addParameter(url, 'wspipe_after', this.#received);
    const ws = this.#ws = new WebSocket(url, this.#protocols);
    ws.binaryType = 'arraybuffer'; // the first byte may decide whether a message counts
    const on = (type, handle) => ws.addEventListener(type, (event) => ws === this.#ws && handle(event));
    on('open', () => this.#opened());
    on('message', (event) => this.#message(event));
    on('error', () => {
      this.#failed = true;
      setTimeout(() => { // Node 20 and 22 fire no close event after a failed handshake
        if (ws !== this.#ws || ws.readyState === CLOSED) return;
        this.#ws = null;
        this.#closed({});
      });
    });
    on('close', (event) => this.#closed(event));
    if (this.#state === OPEN) this.#timer = setTimeout(() => this.#lost(1006), handshakePatience);
  }

  #opened() {
    clearTimeout(this.#timer);
    this.#agreed = { protocol: this.#ws.protocol, extensions: this.#ws.extensions };
    this.#goesOn = true;
    this.#openedAt = Date.now();
    this.#receivedBefore = this.#received;
    if (this.#state === CONNECTING) {
      this.#state = OPEN;
      return void this.dispatchEvent(new Event('open'));
    }
    for (const message of this.#queue) this.#ws.send(message);
    this.#queue = [];
    this.#queued = 0;
    this.dispatchEvent(new Event('resumed'));
  }

  #message({ data, origin }) {
    if (this.#counts(data)) this.#received++; // first, whatever the page makes of it
    if (data instanceof ArrayBuffer && this.binaryType === 'blob') data = new Blob([data]);
    this.dispatchEvent(new MessageEvent('message', { data, origin }));
  }

  #counts(data) {
    if (!channelProtocols.includes(this.#agreed.protocol)) return true;
    return data instanceof ArrayBuffer && data.byteLength > 1 && [STDOUT, STDERR].includes(new Uint8Array(data)[0]);
  }

  #closed({ code, reason = '', wasClean = false }) {
    code ||= 1006; // a lost connection has 0 in Deno
    // A handshake of our own that was long underway takes the session from the
    // connection after it. Another page keeps it, or both would fight for ever.
    const byOurselves = code === ELSEWHERE && reason === 'attached elsewhere' && this.#abandoned > 0;
    if (byOurselves) this.#abandoned--;
    if (this.#state === OPEN && this.#session && (byOurselves || worthATry.includes(code))) this.#lost(code);
    else this.#end({ code, reason, wasClean });
  }

  /** #lost goes on without a connection, until the next attempt. */
  #lost(code) {
    // A server that drops every connection at once is asked ever less often.
    if (this.#received > this.#receivedBefore || this.#openedAt && Date.now() - this.#openedAt > stableAfter) this.#attempt = 0;
    this.#openedAt = 0;
    this.#receivedBefore = this.#received;
    this.#abandon();
    const delay = Math.min(longestDelay, firstDelay * 2 ** this.#attempt) * (0.5 + Math.random() / 2);
    this.#attempt++;
    this.#failed = false;
    this.#timer = setTimeout(() => this.#dial(), delay);
    this.dispatchEvent(new CustomEvent('reconnecting', { detail: { attempt: this.#attempt, delay, code } }));
  }

  #abandon() {
    clearTimeout(this.#timer);
    if (this.#ws?.readyState === CONNECTING) this.#abandoned++;
    this.#ws?.close(GIVEN_UP);
    this.#ws = null;
  }

  #end({ code, reason, wasClean }) {
    this.#page.abort();
    this.#session?.end(mayLive.includes(code) && this.#state !== CLOSING);
    this.#state = CLOSED;
    if (this.#failed) this.dispatchEvent(new Event('error'));
    this.dispatchEvent(new CloseEvent('close', { code, reason, wasClean }));
  }

  #listenToPage() {
    const on = (target, type, handle) => target?.addEventListener?.(type, handle, { signal: this.#page.signal });
    const hurry = () => this.#state === OPEN && !this.#ws && this.#dial();
    const away = () => this.#session.store();
    const back = () => (this.#session.unstore(), hurry());
    on(globalThis, 'pagehide', away);
    on(globalThis, 'pageshow', (event) => event.persisted && back());
    // A hidden page may be dropped without another event, and loaded anew later.
    on(globalThis.document, 'visibilitychange', () => document.hidden ? away() : back());
    on(globalThis, 'online', hurry);
    // A connection without a network looks open for minutes, and drops what it is given.
    on(globalThis, 'offline', () => this.#state === OPEN && this.#ws && this.#lost(1006));
  }
}

/**
 * Session is the ID of a session, which outlives a reload of the tab. In
 * sessionStorage it stands only while the page is away: a tab that is made as
 * a copy of this one gets a copy of that. Where it stands there all the same, a
 * lock shows whether a page has it; without Web Locks (http: but on loopback)
 * the copy takes the session, and the older page gets 4010.
 */
class Session {
  #name;
  #held; // a promise of what releases the lock, or of null if another page has it

  constructor(url, key) {
    const service = new URL(url);
    for (const name of [...service.searchParams.keys()]) {
      if (name.startsWith('wspipe_') || name === 'access_token') service.searchParams.delete(name);
    }
    service.username = service.password = '';
    this.#name = `wspipe ${service} ${key}`;
    const kept = this.unstore();
    this.isOld = Boolean(kept);
    this.id = kept ?? newID();
  }

  /** claim takes the lock. For an old ID it waits until the page before has let go, or takes another ID if none does. */
  async claim() {
    this.#held = hold(this.id);
    if (await this.#held || !this.isOld) return;
    this.id = newID();
    this.#held = hold(this.id);
  }

  store() {
    try { sessionStorage.setItem(this.#name, this.id); } catch { /* then it ends with the page */ }
  }

  unstore() {
    try {
      const id = sessionStorage.getItem(this.#name);
      sessionStorage.removeItem(this.#name);
      return id;
    } catch { return null; }
  }

  end(keep) {
    if (keep) this.store();
    else this.unstore();
    this.#held.then((release) => release?.());
  }
}

/** hold resolves to a function that releases the lock of an ID, or to null if another page has it. */
function hold(id) {
  if (!globalThis.navigator?.locks) return Promise.resolve(() => {});
  return new Promise((resolve) => {
    const held = () => new Promise((release) => resolve(release));
    navigator.locks.request(`wspipe ${id}`, { signal: AbortSignal.timeout(lockPatience) }, held).catch(() => resolve(null));
  });
}

/** newID returns 128 random bits. */
function newID() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function webSocketURL(url) {
  const base = globalThis.document?.baseURI;
  let parsed;
  try { parsed = new URL(url, base); } catch { throw new DOMException(`${url} is no address.`, 'SyntaxError'); }
  parsed.protocol = { 'http:': 'ws:', 'https:': 'wss:' }[parsed.protocol] ?? parsed.protocol;
  parsed.hash = '';
  return parsed;
}

/** addParameter leaves the rest of the query as it was written. */
function addParameter(url, name, value) {
  url.search += `${url.search ? '&' : '?'}${name}=${value}`;
}

/** copyOf returns data as it is now, and its size in bytes. */
function copyOf(data) {
  if (data instanceof ArrayBuffer) data = data.slice();
  else if (ArrayBuffer.isView(data)) data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  else if (!(data instanceof Blob)) data = String(data);
  return [data, new Blob([data]).size];
}
