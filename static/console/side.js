// The inspector at the right, and the Wire view, which are loaded when they are first
// wanted.

export class Side {
  #page;
  #parts;
  #sheet;
  #inspector = null; // of inspector/inspector.js
  #wire = null; // of wire/wire.js, or a promise of it
  #chip = false; // Wire is in the place of the logs

  // parts are the elements inspect, inspector, message and show.
  constructor(page, parts, sheet) {
    this.#page = page;
    this.#parts = parts;
    this.#sheet = sheet;
    parts.inspect.addEventListener('click', () => this.#open(parts.inspector.hidden));
    parts.message.addEventListener('input', () => this.#inspector?.show());
    parts.show.addEventListener('click', ({ target }) => {
      const chosen = target.closest('[data-show]');
      if (!chosen) return;
      this.#chip = chosen.dataset.show === 'wire';
      if (this.#chip) this.loadWire();
      this.show();
    });
  }

  // show follows the connection in use, and what the user has chosen.
  show() {
    if (!this.#parts.inspector.hidden) this.#inspector?.show();
    if (!(this.#wire instanceof Promise)) this.#wire?.show();
  }

  // wirePlace says where the frames of a pane belong: 'log', 'side' or nowhere.
  wirePlace(pane) {
    if (this.#chip) return 'log';
    return pane === this.#page.active && !this.#parts.inspector.hidden && this.#inspector?.shown === 'wire' ? 'side' : '';
  }

  // slot is the section Wire of the inspector, if that has been opened.
  get slot() { return this.#inspector?.wirePanel; }

  // inspect shows an entry of the log, and the one before it in the same direction.
  inspect = async (entry, previous) => {
    await this.#open(true);
    this.#inspector?.inspect(entry, previous);
    this.#sheet.reveal(this.#parts.inspector);
  };

  // openWire shows the section Wire.
  async openWire() {
    await this.#open(true);
    this.#inspector?.select('wire');
    this.#sheet.reveal(this.#parts.inspector);
  }

  // traced returns url so that its connection is traced, if Wire is shown.
  async traced(pane, url) {
    const wire = await (this.wirePlace(pane) ? this.loadWire() : this.#wire);
    return wire ? wire.traced(pane, url) : url;
  }

  async loadWire() {
    try {
      this.#wire ??= import('./wire/wire.js').then(({ loadWire }) => loadWire(this.#page, this));
      this.#wire = await this.#wire;
      this.#wire.show();
      return this.#wire;
    } catch (error) {
      this.#wire = null; // the next attempt may succeed
      this.#page.note(`Wire cannot be loaded: ${error.message}`);
    }
  }

  async #open(open) {
    const { inspect, inspector } = this.#parts;
    inspector.hidden = !open;
    inspect.ariaExpanded = String(open);
    if (!open) return this.show();
    try {
      const { Inspector } = await import('./inspector/inspector.js');
      this.#inspector ??= new Inspector(inspector, this.#page, this);
      this.show();
    } catch (error) {
      this.#page.note(`The inspector cannot be loaded: ${error.message}`);
    }
  }
}
