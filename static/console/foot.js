// The line at the foot: the WebSocket's own properties, and what has passed.

import { count } from './format.js';
import { Traffic } from './traffic.js';

const readyStates = ['0 CONNECTING', '1 OPEN', '2 CLOSING', '3 CLOSED'];

export class Foot {
  #parts;
  #pane;
  #traffic;
  #frame = 0;

  // parts are the elements of the foot.
  constructor(parts, pane) {
    this.#parts = parts;
    this.#pane = pane;
    this.#traffic = new Traffic(parts, pane.connection);
  }

  use(pane) {
    this.#pane = pane;
    this.#traffic.connection = pane.connection;
    this.show();
  }

  // show follows the connection; many calls between two frames cost one.
  show() {
    this.#traffic.update();
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const { connection, info } = this.#pane;
      const { readyState, buffered, extensions, sharing } = this.#parts;
      set(readyState, readyStates[connection.readyState]);
      set(buffered, count(connection.waiting));
      set(extensions, connection.extensions || 'none');
      set(sharing, whoShares(info, connection.hello));
    });
  }

  set kept(text) { set(this.#parts.kept, text); }
}

function whoShares(info, hello) {
  if (!info) return '';
  const program = hello?.pid ? `${info.program} (pid ${hello.pid})` : info.program;
  if (!info.share) return program;
  return `${info.clients === 1 ? '1 client has' : `${info.clients} clients share`} ${program}`;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
