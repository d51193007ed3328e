// The rail on the left: endpoints, the clients of this page, and saved messages.
// It is there only while it has something.

import { plural } from './format.js';
import { fill } from './list.js';
import { locate } from './server.js';

export class Rail {
  #parts;

  // parts are the elements rail, endpoints, endpointsTitle, endpointList, clients,
  // clientList, saved and addresses.
  constructor(parts) {
    this.#parts = parts;
  }

  // showEndpoints shows the endpoints of the server, which of them is info, and its rooms.
  showEndpoints({ list, info }, token) {
    const { endpoints, endpointsTitle, endpointList, addresses } = this.#parts;
    const paths = list?.endpoints ?? [], rooms = list && info?.rooms || [];
    endpoints.hidden = !paths.length && !rooms.length;
    const titles = [];
    if (paths.length) titles.push(`${plural(paths.length, 'endpoint')}${list.more ? ' and more' : ''}`);
    if (rooms.length) titles.push(plural(rooms.length, 'room'));
    endpointsTitle.textContent = titles.join(', ');
    fill(endpointList, [
      ...paths.map((path) => link(list.up, path, path === info?.path, token)),
      ...rooms.map(({ path, clients }) => link(list.up, path, false, token, plural(clients, 'client'))),
    ]);
    fill(addresses, [...paths, ...rooms.map(({ path }) => path)].map((path) => Object.assign(document.createElement('option'), { value: path })));
    this.update();
  }

  // showClients shows the panes of the page; choose is called with the one that is clicked.
  showClients(panes, active, choose) {
    const { clients, clientList } = this.#parts;
    clients.hidden = panes.length < 2;
    clientList.replaceChildren(...panes.map((pane) => {
      const item = document.createElement('li'), button = document.createElement('button');
      button.type = 'button';
      button.className = 'plain';
      button.textContent = pane.name;
      button.dataset.phase = pane.state.phase;
      if (pane === active) button.ariaCurrent = 'true';
      button.addEventListener('click', () => choose(pane));
      item.append(button);
      return item;
    }));
    this.update();
  }

  update() {
    const { rail, endpoints, clients, saved } = this.#parts;
    rail.hidden = endpoints.hidden && clients.hidden && saved.hidden;
  }
}

// link is to the page of an endpoint, whose path is escaped as an address is. The
// page needs the token that this one came by.
// note is behind the path.
function link(up, path, isThis, token, note) {
  const item = document.createElement('li'), a = document.createElement('a');
  a.href = locate(up, path) + (token && `${path.includes('?') ? '&' : '?'}access_token=${encodeURIComponent(token)}`);
  try {
    a.textContent = decodeURIComponent(path);
  } catch {
    a.textContent = path; // the name is not UTF-8
  }
  if (isThis) a.ariaCurrent = 'page';
  item.append(a);
  if (note) item.append(` ${note}`);
  return item;
}
