// The tools of the terminals: they act on that of the client in use.

import { load, save } from '../storage.js';
import { Keys } from './keys.js';

const READER = 'wspipe.console.reader', SELECT = 'wspipe.console.copy-on-select';

export class TerminalTools {
  #parts;
  #page;

  // parts are the elements of the tools; page has active, the Pane in use, and look.
  constructor(parts, page) {
    this.#parts = parts;
    this.#page = page;
    const { terminalSearch, terminalSearchNext, terminalSearchPrevious } = parts;
    terminalSearch.addEventListener('input', () => this.#find(1, true));
    terminalSearch.addEventListener('keydown', (event) => this.#key(event));
    terminalSearchNext.addEventListener('click', () => this.#find(1));
    terminalSearchPrevious.addEventListener('click', () => this.#find(-1));
    page.look.addEventListener('theme', () => this.#find(1, true));
    parts.terminalCopy.addEventListener('click', () => page.active.terminal?.clipboard.copySelected());
    parts.terminalPaste.addEventListener('click', () => page.active.terminal?.clipboard.paste());
    parts.terminalClear.addEventListener('click', () => page.active.terminal?.clear());
    this.keys = new Keys(parts.keys, () => page.active.terminal);
    this.#setting(parts.screenReader, READER);
    this.#setting(parts.copyOnSelect, SELECT);
  }

  // apply makes a terminal as the user has set them.
  apply(terminal) {
    // Screen readers need a copy of the screen, which costs time with each character.
    terminal.screenReader = this.#parts.screenReader.checked;
  }

  get copyOnSelect() { return this.#parts.copyOnSelect.checked; }

  // show shows the size of a terminal, if it is the one in use.
  show(terminal) {
    if (terminal !== this.#page.active.terminal) return;
    const { cols, rows } = terminal.size;
    this.#parts.terminalSize.textContent = `${cols}×${rows}`;
  }

  // found shows what a search in terminal has found.
  found(terminal, text) {
    if (terminal === this.#page.active.terminal) this.#parts.terminalSearchCount.value = text;
  }

  #find(by, incremental) {
    const text = this.#parts.terminalSearch.value;
    if (!text) this.#parts.terminalSearchCount.value = '';
    this.#page.active.terminal?.search.find(text, by, incremental);
  }

  #key(event) {
    if (event.key === 'Enter') this.#find(event.shiftKey ? -1 : 1);
    else if (event.key === 'Escape') {
      this.#parts.terminalSearch.value = '';
      this.#find(1);
      this.#page.active.focus();
    } else return;
    event.preventDefault();
  }

  #setting(box, key) {
    box.checked = load(key) === 'on';
    box.addEventListener('change', () => {
      save(key, box.checked ? 'on' : 'off');
      for (const { terminal } of this.#page.panes) if (terminal) this.apply(terminal);
    });
  }
}
