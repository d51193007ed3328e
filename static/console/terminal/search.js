// Find in a terminal, and its scrollback.

import { SearchAddon } from '../../vendor/xterm/addon-search.mjs';
import { count } from '../format.js';
import { decorations } from './theme.js';

export class Search {
  #addon = new SearchAddon();
  #terminal;
  #text = '';

  // found is called with what to say of the matches.
  constructor(terminal, found) {
    this.#terminal = terminal;
    terminal.loadAddon(this.#addon);
    this.#addon.onDidChangeResults((results) => { if (this.#text) found(said(results)); });
  }

  // find goes to the next match of text, or with -1 to the previous one. An
  // incremental search stays at what it has found if that still fits.
  find(text, by, incremental = false) {
    this.#text = text;
    if (text) this.#addon[by < 0 ? 'findPrevious' : 'findNext'](text, { incremental, decorations: decorations() });
    else {
      this.#addon.clearDecorations();
      this.#terminal.clearSelection();
    }
  }
}

// The addon marks 1000 at most, and has no number for one beyond.
function said({ resultIndex, resultCount }) {
  if (!resultCount) return 'none';
  return resultIndex < 0 ? count(resultCount) : `${count(resultIndex + 1)} of ${count(resultCount)}`;
}
