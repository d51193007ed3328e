// The inspector at the right: a message, the wire, the handshake, and code for this endpoint.
// It is loaded when it is first opened.

import { element } from '../log/portions.js';
import { fill, pairs } from '../list.js';
import { facts, messagesOf } from '../endpoint.js';
import { CodeView } from './code.js';
import { MessageView } from './message.js';

const names = { message: 'Message', wire: 'Wire', handshake: 'Handshake', code: 'Code' };

export class Inspector {
  #page;
  #tabs;
  #panels = {};
  #views;

  shown = 'message'; // one of names

  // root is the element to fill; page has active, the Pane in use, and note(text); side
  // is the Side.
  constructor(root, page, side) {
    this.#page = page;
    this.#tabs = element('div', 'tabs');
    this.#tabs.role = 'tablist';
    this.#tabs.ariaLabel = 'Inspector';
    root.append(this.#tabs);
    for (const [name, label] of Object.entries(names)) {
      const tab = element('button', '', label), panel = element('div', 'inspected');
      Object.assign(tab, { type: 'button', id: `${name}-inspector-tab`, role: 'tab' });
      Object.assign(panel, { id: `${name}-inspector`, role: 'tabpanel', tabIndex: 0 });
      tab.setAttribute('aria-controls', panel.id);
      panel.setAttribute('aria-labelledby', tab.id);
      tab.addEventListener('click', () => this.select(name));
      this.#tabs.append(tab);
      root.append(panel);
      this.#panels[name] = { tab, panel };
    }
    this.#tabs.addEventListener('keydown', (event) => this.#key(event));
    this.#views = {
      message: new MessageView(this.#panels.message.panel, page),
      wire: { show: () => side.loadWire() },
      handshake: { show: () => this.#handshake() },
      code: new CodeView(this.#panels.code.panel, page),
    };
    this.select('code');
  }

  // select shows one of names.
  select(name) {
    this.shown = name;
    for (const [other, { tab, panel }] of Object.entries(this.#panels)) {
      tab.ariaSelected = String(other === name);
      tab.tabIndex = other === name ? 0 : -1;
      panel.hidden = other !== name;
    }
    this.show();
  }

  get wirePanel() { return this.#panels.wire.panel; }

  // inspect shows an entry of the log.
  inspect(entry, previous) {
    this.#views.message.entry = [entry, previous];
    this.select('message');
  }

  // show follows the connection and what is in the composer.
  show() {
    this.#views[this.shown].show();
  }

  #key({ key }) {
    const all = Object.keys(names), by = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (!by) return;
    const to = all[(all.indexOf(this.shown) + by + all.length) % all.length];
    this.select(to);
    this.#panels[to].tab.focus();
  }

  // Pages see of a handshake what was agreed on, and no header.
  #handshake() {
    const { connection, info, target } = this.#page.active;
    const list = this.#list ??= this.#panels.handshake.panel.appendChild(element('ul', 'facts'));
    const agreed = [['address', target.address], ['offered', connection.offered.join(', ') || 'no subprotocol'],
      ['subprotocol', connection.subprotocol || 'none'], ['extensions', connection.extensions || 'none']];
    fill(list, pairs([...agreed, ...facts(info)]));
    const said = this.#said ??= this.#panels.handshake.panel.appendChild(element('p', 'hint'));
    said.textContent = messagesOf(connection, info);
  }

  #list = null;
  #said = null;
}
