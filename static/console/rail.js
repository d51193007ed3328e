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

  // showEndpoints shows the list of Endpoint, and which of them path is.
  showEndpoints({ list, info }, token) {
    const { endpoints, endpointsTitle, endpointList, addresses } = this.#parts;
    const paths = list?.endpoints ?? [];
    endpoints.hidden = !paths.length;
    endpointsTitle.textContent = `${plural(paths.length, 'endpoint')}${list?.more ? ' and more' : ''}`;
    fill(endpointList, paths.map((path) => link(list.up, path, path === info?.path, token)));
    fill(addresses, [...paths, ...(info?.rooms ?? [])].map((path) => Object.assign(document.createElement('option'), { value: path })));
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
function link(up, path, isThis, token) {
  const item = document.createElement('li'), a = document.createElement('a');
  a.href = locate(up, path) + (token && `?access_token=${encodeURIComponent(token)}`);
  try {
    a.textContent = decodeURIComponent(path);
  } catch {
    a.textContent = path; // the name is not UTF-8
  }
  if (isThis) a.ariaCurrent = 'page';
  item.append(a);
  return item;
}
