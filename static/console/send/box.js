// The message box: Enter sends, Shift+Enter makes a line, arrows go through
// what was sent before.

import { History } from './history.js';

const ROWS = 8; // the box grows to this height, then scrolls

export class SendBox {
  #box;
  #history = new History();
  #send;

  // send takes the text and says whether it went; if not, it stays in the box.
  constructor(form, box, send) {
    this.#box = box;
    this.#send = send;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    box.addEventListener('keydown', (event) => this.#key(event));
    box.addEventListener('input', () => this.#grow());
    this.#grow(); // the browser may have kept a text over a reload
  }

  get text() { return this.#box.value; }

  // text replaces what is in the box.
  set text(text) {
    this.#show(text);
    this.#box.focus();
  }

  #submit() {
    const text = this.#box.value;
    if (!this.#send(text)) return;
    this.#history.add(text);
    this.#show('');
    this.#box.focus();
  }

  #key(event) {
    // While an input method composes, Enter and the arrows belong to it.
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const { value, selectionStart, selectionEnd } = this.#box;
    if (event.key === 'Enter') {
      event.preventDefault();
      this.#submit();
    } else if (event.key === 'ArrowUp' && !value.slice(0, selectionStart).includes('\n')) {
      this.#step(-1, event);
    } else if (event.key === 'ArrowDown' && !value.slice(selectionEnd).includes('\n')) {
      this.#step(+1, event);
    }
  }

  #step(by, event) {
    const line = this.#history.step(by, this.#box.value);
    if (line === undefined) return;
    event.preventDefault();
    this.#show(line);
  }

  #show(text) {
    this.#box.value = text;
    this.#box.setSelectionRange(text.length, text.length);
    this.#grow();
  }

  #grow() {
    this.#box.rows = Math.min(ROWS, this.#box.value.split('\n').length);
  }
}
