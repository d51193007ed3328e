// Types of /.wspipe/client.js. TypeScript finds them beside a copy of it, or by
//
//   declare module '/.wspipe/client.js' { export * from './client.js'; }

/**
 * connect opens a WebSocket to url, which may be relative to the page, and http: or https: as well as ws: or wss:.
 * It throws what `new WebSocket` throws. It works in browsers (Safari 16.4 or later), in Node 22 or later, in Node 20 with
 * --experimental-websocket, in Deno and in Bun. Outside of browsers the types need the library "dom".
 */
export function connect(url: string | URL, options?: ConnectOptions): Socket;

export interface ConnectOptions {
  /**
   * Whether a connection that is lost is made again, for the same session of a server with --resume. Default true.
   * With false the socket is a WebSocket and nothing more.
   */
  resume?: boolean;
  /** Subprotocols to offer, best first, as for a WebSocket. Default none. */
  protocols?: string | string[];
  /**
   * The `received` of the socket that this page had before it was reloaded, if it has kept what it was sent until
   * then: the next message is the one after it. Without it everything comes that the server still holds.
   * If the server cannot go on from there, the close event has code 4011.
   */
  after?: number;
  /** How many bytes may wait to be sent while there is no connection. Default 1 MiB. */
  queue?: number;
  /** Tells the sockets of one page to one URL apart, so that after a reload each finds its own session. Default ''. */
  key?: string;
}

/**
 * A WebSocket that does not close when the connection is lost. What differs:
 *
 * - A connection that has been open once is made again if it ends with 1006 (lost), 1001, 1012 (the server stops or
 *   starts again), 1013 (try again later), 1008 (no answer to pings) or 1002 (a proxy sent an invalid frame); or if the
 *   browser says that it is offline. Any other code is final.
 *   A first connection that fails is an error and a close event, as ever.
 * - `readyState` stays OPEN meanwhile: what is sent waits, and is sent once, in order, when there is a connection again.
 *   What was sent to a connection shortly before it was lost may be lost with it; it is not sent twice.
 * - Each message is received once and in order, whatever happens to the connection.
 * - The session outlives a reload of the page, and the tab's being put to sleep: connect() to the same URL goes on with it.
 *   A copy of the tab begins a session of its own. close() ends the session, unless there is no connection to say so.
 * - A lost connection has code 1006 everywhere (Deno's own WebSocket has 0), and each end fires a close event (Node's has none
 *   after a failed handshake). In Node 20 and 22, which have no CloseEvent, that is an Event with `code`, `reason` and `wasClean`.
 *
 * It may stand wherever a WebSocket is wanted.
 */
export interface Socket extends Omit<WebSocket, 'addEventListener' | 'removeEventListener'> {
  /**
   * How many messages have come in this session since connect() without `after`, the one that is being handled included.
   * With channels (v1.wspipe and those of Kubernetes) only output counts.
   */
  readonly received: number;
  /** The URL without the session's ID, which is a secret. */
  readonly url: string;
  /** Once, when there is a first connection. */
  onopen: ((this: WebSocket, event: Event) => any) | null;
  /** The connection is lost; detail says when the next attempt is made. Comes again for each. */
  onreconnecting: ((this: Socket, event: CustomEvent<Reconnecting>) => any) | null;
  /** There is a connection again, and what waited has been sent. */
  onresumed: ((this: Socket, event: Event) => any) | null;
  /** Once, when all is over; 4010: another page has taken the session; 4011: messages are missing, connect() without `after`. */
  onclose: ((this: WebSocket, event: CloseEvent) => any) | null;
  /**
   * Sends data, or keeps it until there is a connection. Throws a QuotaExceededError, and keeps nothing of it, if more
   * would wait than `queue` says; an InvalidStateError before the first connection, as a WebSocket.
   */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void;
  /**
   * Drops the connection, as a failing network would, and makes another one at once; or does not wait for the next
   * attempt. Throws an InvalidStateError before the first connection, after the end, and without `resume`.
   */
  reconnect(): void;
  addEventListener<K extends keyof SocketEventMap>(type: K, listener: (this: WebSocket, event: SocketEventMap[K]) => any, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof SocketEventMap>(type: K, listener: (this: WebSocket, event: SocketEventMap[K]) => any, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

export interface SocketEventMap extends WebSocketEventMap {
  reconnecting: CustomEvent<Reconnecting>;
  resumed: Event;
}

export interface Reconnecting {
  /** 1 for the first attempt since the connection was good. */
  attempt: number;
  /** Milliseconds until it is made: half a second to half a minute. At once if the network or the tab comes back. */
  delay: number;
  /** The close code that the last connection ended with. */
  code: number;
}
