// How all logs of the page are shown.

import { formatted } from './payload.js';
import { plain } from './row.js';

export class Settings {
  #panels = new Set();
  #after = () => false;

  wanted = null; // what the filter's field asks for, a function of an entry
  filter = null; // says whether an entry is shown; null if all are
  payload = formatted; // fills the last cell of a row, see newRow
  time = 'clock'; // or 'start' or 'between'
  held = false;

  add(panel) {
    this.#panels.add(panel);
    panel.refilter();
    if (this.held) panel.hold(true);
  }

  remove(panel) {
    this.#panels.delete(panel);
  }

  // set changes some of the settings.
  set(changes) {
    Object.assign(this, changes);
    for (const panel of this.#panels) {
      if ('filter' in changes) panel.refilter();
      if ('held' in changes) panel.hold(this.held);
      if ('payload' in changes || 'time' in changes) panel.redraw();
    }
  }

  // after(panel, deadline) is called after each frame of a log; it returns whether
  // more is to be done.
  set after(after) { this.#after = after; }

  rendered(panel, deadline) {
    return this.#after(panel, deadline);
  }
}
