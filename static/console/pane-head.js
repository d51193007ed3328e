// The line above a pane that names its client, where there are several.

import { plural } from './format.js';

export class PaneHead {
  #pane;
  #parts;

  constructor(pane, parts) {
    this.#pane = pane;
    this.#parts = parts;
  }

  // mark shows whether the pane is the one in use, of so many.
  mark(isActive, panes) {
    const { pane, paneHead, paneName } = this.#parts;
    paneHead.hidden = panes < 2;
    paneName.textContent = this.#pane.name;
    pane.classList.toggle('active', isActive && panes > 1);
    this.count();
  }

  // count says in a few words what was received and sent.
  count() {
    const { state, connection: { received, sent } } = this.#pane;
    this.#parts.paneCounts.textContent = state.phase === 'closed' && state.runs ? 'ended' : `${plural(received.messages, 'message')} in, ${sent.messages} out`;
  }

  remove() { this.#parts.pane.remove(); }
}
