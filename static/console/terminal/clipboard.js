// Copy and paste, with the terminal's own keys: Ctrl+C is the program's.

import { copy } from '../copy.js';

const isMac = navigator.platform.startsWith('Mac');

export class Clipboard {
  #terminal;
  #note;

  constructor(terminal, note) {
    this.#terminal = terminal;
    this.#note = note;
  }

  // key reports whether a keydown is one of ours. Pasting is left to the browser,
  // which needs no permission for that: xterm.js takes its event, and not the keys.
  key(event) {
    const { key, ctrlKey, shiftKey, altKey, metaKey } = event;
    if (altKey || metaKey || !(ctrlKey && (shiftKey && key.toLowerCase() === 'c' || !shiftKey && key === 'Insert'))) return false;
    event.preventDefault(); // browsers have developers' tools on Ctrl+Shift+C
    if (this.#terminal.hasSelection()) this.#copy(this.#terminal.getSelection());
    else this.#note('Nothing is selected; the Copy button takes all.');
    return true;
  }

  // copySelected copies what is selected, or else all.
  copySelected() {
    this.#copy(this.#terminal.getSelection() || this.#all());
  }

  async #copy(text) {
    this.#note((await copy(text)) ? 'Copied.' : 'The browser does not let this page copy.');
  }

  async paste() {
    try {
      const text = await navigator.clipboard.readText();
      this.#terminal.paste(text);
      this.#note('');
    } catch {
      // There is no navigator.clipboard on plain http: but for this very machine,
      // and reading it takes the user's leave.
      this.#note(`The browser does not let this page read the clipboard: paste with ${isMac ? '⌘V' : 'Ctrl+Shift+V'}.`);
    }
    this.#terminal.focus();
  }

  // all is what the terminal holds, without the empty lines below it.
  #all() {
    const buffer = this.#terminal.buffer.active;
    let text = '';
    for (let i = 0; i < buffer.length; i++) {
      const line = buffer.getLine(i), wraps = buffer.getLine(i + 1)?.isWrapped;
      text += line.translateToString(!wraps) + (wraps ? '' : '\n');
    }
    return text.trimEnd() + '\n';
  }
}
