// The developer console: the page, and what joins its components. Nothing that
// comes from a server or an address is ever parsed as HTML.

import { parseAddress, withToken } from './address.js';
import { Bar, follow, startTarget } from './bar.js';
import { copyOf, elements } from './elements.js';
import { Endpoint, facts, guide } from './endpoint.js';
import { Foot } from './foot.js';
import { fill, pairs } from './list.js';
import { Settings } from './log/settings.js';
import { Tools } from './log/tools.js';
import { Look } from './look.js';
import { closeMenus } from './menu.js';
import { Note } from './note.js';
import { Pane } from './pane.js';
import { Parameters } from './parameters.js';
import { Rail } from './rail.js';
import { Composer } from './send/composer.js';
import { Saved } from './send/saved.js';
import { Sheet } from './sheet.js';
import { Side } from './side.js';
import { Tabs } from './tabs.js';
import { outlive, resume } from './visit.js';

class Page {
  #note;
  #pattern; // a pane that nothing has been put into
  #numbers = 1; // of panes so far
  #bar;
  #foot;
  #rail;
  #tools;
  #sheet;
  #parameters;

  panes = [];
  active = null; // the Pane in use
  settings = new Settings();
  tabs;
  side; // a Side
  terminalTools = null; // of terminal/tools.js, once there is a terminal

  constructor(parts) {
    this.parts = parts;
    this.#pattern = parts.pane.cloneNode(true);
    this.#note = new Note(parts);
    this.note = (text, action) => this.#note.show(text, action);
    this.look = new Look(parts);
    this.endpoint = new Endpoint(() => this.#showEndpoint());
    this.active = this.#add(parts, startTarget());
    this.#rail = new Rail(parts);
    this.#tools = new Tools(parts, this.settings, this.active.log, this.note);
    this.composer = new Composer(parts, this);
    new Saved(parts, this);
    this.#foot = new Foot(parts, this.active);
    this.tabs = new Tabs(parts.views, (view, byUser) => this.active.show(view, byUser));
    this.#bar = new Bar(parts, this.#actions());
    this.#sheet = new Sheet(parts);
    this.side = new Side(this, parts, this.#sheet);
    this.#parameters = new Parameters(parts.parameters, (address) => {
      this.active.target.address = address;
      this.#bar.show();
    }, () => this.active.connect());
    closeMenus(document);
    this.#keys();
    parts.split.addEventListener('click', () => this.active.divide());
    parts.another.addEventListener('click', () => this.another());
    parts.anotherClient.addEventListener('click', () => this.another());
    addEventListener('popstate', () => this.goTo({ address: startTarget().address }));
    this.#use(this.active);
    parts.connect.focus(); // autofocus would come before it is visible
    document.title = `${location.pathname} – wspipe console`;
    outlive(this);
    this.lookUp().then(() => resume(this));
  }

  // changed follows what happens in a pane: a transition of its State, or 'message',
  // 'log', 'card', 'refusal', 'terminal'.
  changed(pane, what) {
    if (what === 'lose' || what === 'end') this.composer.ended();
    if (pane !== this.active || !this.#bar) return;
    if (what === 'message' || what === 'terminal') return this.#foot.show();
    if (what === 'log') return void (this.#foot.kept = this.#tools.kept);
    if (what === 'show') this.#showView();
    this.#bar.show();
    this.#foot.show();
    this.#rail.showClients(this.panes, this.active, (chosen) => this.#use(chosen));
    if (what === 'open') this.#opened(pane);
    this.#showEmpty();
    this.side.show();
  }

  railChanged() { this.#rail.update(); }

  // askToken shows the field for the token of a pane that was refused without one.
  askToken(pane) { if (pane === this.active) this.#bar.askToken(); }

  // useToken connects a pane with a token.
  useToken(pane, token) {
    pane.target.token = token;
    this.#bar.use(this.active);
    pane.connect();
  }

  // connectAndSend connects, and sends what is in the composer once that is done.
  connectAndSend() {
    this.active.onOpen = () => this.composer.submit();
    this.active.connect();
  }

  // another adds a client beside the others, for the same target, and connects it.
  another() {
    const { target } = this.active;
    const element = copyOf(this.#pattern, ++this.#numbers);
    this.parts.panes.append(element);
    const pane = this.#add({ ...elements(element), pane: element }, { ...target });
    this.#use(pane);
    pane.connect();
  }

  #add(parts, target) {
    const pane = new Pane(this, parts, { number: this.#numbers, target });
    this.panes.push(pane);
    parts.pane.ariaLabel = pane.name;
    parts.paneName.addEventListener('click', () => this.#use(pane));
    parts.pane.addEventListener('focusin', () => this.#use(pane));
    parts.paneClose.addEventListener('click', () => this.#close(pane));
    return pane;
  }

  #close(pane) {
    if (['connecting', 'open', 'lost'].includes(pane.state.phase)) pane.connection.disconnect();
    this.settings.remove(pane.log);
    pane.head.remove();
    this.panes = this.panes.filter((other) => other !== pane);
    this.#use(this.active === pane ? this.panes[0] : this.active);
  }

  // use makes pane the one that the bar, the tools and the composer act on.
  #use(pane) {
    if (pane === this.active && pane.shown && this.panes.length === this.shownPanes) return;
    this.active = pane;
    pane.shown = true;
    this.shownPanes = this.panes.length;
    for (const other of this.panes) other.head.mark(other === pane, this.panes.length);
    this.#bar.use(pane);
    this.#foot.use(pane);
    this.#tools.use(pane.log);
    this.#foot.kept = this.#tools.kept;
    this.tabs.show(pane.state.view, pane.panels);
    this.composer.show();
    this.#showView();
    this.#rail.showClients(this.panes, pane, (chosen) => this.#use(chosen));
    pane.terminal?.shown();
    this.side.show();
  }

  #actions() {
    return {
      connect: () => this.active.connect(),
      end: () => this.active.connection.disconnect(),
      abandon: () => this.active.connection.abandon(),
      look: () => {
        follow(this.active.target.address);
        this.lookUp();
      },
      measure: () => this.endpoint.look(),
      reconnect: () => this.active.reconnect(),
      drop: () => this.active.connection.drop(),
      signal: (name) => this.active.signal(name),
      endInput: () => this.active.endInput(),
    };
  }

  #keys() {
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || this.active.state.phase !== 'closed') return;
      event.preventDefault();
      this.active.connect();
    });
  }

  // lookUp asks what is behind the target's address.
  async lookUp() {
    const { address, token } = this.active.target;
    try {
      await this.endpoint.show(withToken(parseAddress(address), token));
    } catch {
      // Connect says what is wrong with the address.
    }
  }

  #opened(pane) {
    pane.onOpen?.();
    pane.onOpen = null;
    this.endpoint.look();
    follow(pane.target.address, true);
    // A user who pressed Connect types next; the focus elsewhere stays there.
    if (!document.activeElement.matches('#connect, #address, #note-action, #parameters *, body, .again')) return;
    (pane.state.view === 'messages' ? this.composer : pane).focus();
  }

  #showEndpoint() {
    const { info } = this.endpoint, pane = this.active;
    if (pane.state.phase === 'closed' || pane.info?.path === info?.path) pane.info = info;
    this.#rail.showEndpoints(this.endpoint, pane.target.token);
    this.#bar.endpoint(this.endpoint);
    this.#foot.show();
    this.composer.show();
    this.#parameters.show(info, pane.target.address);
    fill(this.parts.facts, pairs(facts(info)));
    this.#showEmpty();
    this.side.show();
    if (info?.pty && !pane.state.viewChosen && pane.state.phase === 'closed' && pane.state.view === 'messages') this.tabs.select('terminal', false);
  }

  // showView shows the tools of the view in use.
  #showView() {
    const { logTools, terminalTools, send, keys, findBar, split } = this.parts, { state } = this.active, isTerminal = state.view === 'terminal';
    split.ariaPressed = String(state.split);
    send.hidden = isTerminal && !state.split;
    logTools.hidden = isTerminal;
    terminalTools.hidden = keys.hidden = !isTerminal;
    findBar.hidden ||= isTerminal;
  }

  #showEmpty() { this.active.log.emptyText = guide(this.endpoint, this.active); }

  // goTo changes the target of the client in use.
  goTo(target) {
    const pane = this.active;
    if (pane.state.phase !== 'closed') return;
    Object.assign(pane.target, target);
    this.#bar.use(pane);
    return this.lookUp();
  }
}

new Page(elements(document));
