// The Wire view: handshake, frames, pings and closing handshakes of the connections of
// this page, live, and what each field of them means.

import { parseAddress } from '../address.js';
import { styles } from '../styles.js';
import { Detail } from './detail.js';
import { WireList } from './list.js';
import { Trace } from './trace.js';

// loadWire returns a Wire once all is there.
export async function loadWire(page, side) {
  await styles('console/wire/wire.css');
  return new Wire(page, side);
}

class Wire {
  #page;
  #side;
  #clients = new Map(); // {trace, list} by Pane
  #detail;

  constructor(page, side) {
    this.#page = page;
    this.#side = side;
    this.#detail = new Detail((by) => this.#clients.get(page.active)?.list.step(by));
    page.parts.clear.addEventListener('click', () => {
      for (const { list } of this.#clients.values()) list.clear();
    });
  }

  // show brings the lists to where they belong.
  show() {
    const { slot } = this.#side;
    if (slot && this.#detail.root.parentElement !== slot) slot.append(this.#detail.root);
    for (const pane of this.#clients.keys()) if (!this.#page.panes.includes(pane)) this.#remove(pane);
    for (const pane of this.#page.panes) this.#place(pane, this.#side.wirePlace(pane));
  }

  // traced returns url so that the connection of pane to it is traced.
  async traced(pane, url) {
    if (isOurs(url) && this.#side.wirePlace(pane)) return this.#client(pane).trace.traced(url, pane.target.token);
    this.#clients.get(pane)?.trace.close();
    return url;
  }

  #place(pane, place) {
    const { messages } = pane.panels;
    messages.classList.toggle('wired', place === 'log');
    if (!place) return this.#clients.get(pane)?.list.root.remove();
    const { list, trace } = this.#client(pane), to = place === 'log' ? messages : this.#side.slot;
    if (to && list.root.parentElement !== to) {
      to.prepend(list.root);
      list.moved();
    }
    list.say(...status(pane, trace));
  }

  #client(pane) {
    let client = this.#clients.get(pane);
    if (client) return client;
    const trace = new Trace((what) => {
      if (what === 'state') this.show();
      else if (client.list.root.isConnected) client.list.update();
    });
    const list = new WireList(trace, this.#page.settings, {
      choose: (entry, field) => {
        this.#detail.choose(entry, field);
        this.#side.openWire();
      },
      reconnect: () => pane.reconnect(),
    });
    client = { trace, list };
    this.#clients.set(pane, client);
    pane.watchers.add((entry) => { if (!entry) this.#changed(pane, client); });
    return client;
  }

  #changed(pane, { trace }) {
    if (pane.state.phase === 'lost') trace.lost(pane.target.address, pane.target.token);
    this.show();
  }

  #remove(pane) {
    const { trace, list } = this.#clients.get(pane);
    trace.close();
    this.#page.settings.remove(list);
    this.#clients.delete(pane);
  }
}

// isOurs says whether an address is of the server of this page.
function isOurs(address) {
  try {
    return new URL(parseAddress(address)).host === location.host;
  } catch {
    return true; // Connect says what is wrong with it
  }
}

// status returns what to say above the list, and whether Reconnect would help.
function status({ state, target }, { store, problem, covers }) {
  if (!isOurs(target.address)) return ['Wire shows connections to the server of this page only, because browsers do not show frames to pages. To see those of another server, run: wspipe connect --trace URL'];
  if (problem) return [problem];
  if (state.live && !covers) return ['This connection is not traced: Wire was not shown when it was opened, or not for a while since. Reconnect to see it from its handshake on.', true];
  if (store.kept) return [''];
  return ['Connect to see the handshake and each frame, as they pass.'];
}
