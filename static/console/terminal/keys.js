// Keys that the keyboard of a phone lacks. Ctrl and Alt hold for the key after them.

import { element } from '../log/portions.js';

const ESC = '\x1b';
const keys = { Esc: ESC, Tab: '\t', Ctrl: null, Alt: null, '←': 'D', '↓': 'B', '↑': 'A', '→': 'C' };
const labels = { '←': 'Left', '↓': 'Down', '↑': 'Up', '→': 'Right' };

export class Keys {
  #held = {}; // the buttons Ctrl and Alt

  // bar is the element to fill; current returns the TerminalPanel in use.
  constructor(bar, current) {
    for (const [name, sequence] of Object.entries(keys)) {
      const button = element('button', '', name);
      button.type = 'button';
      if (labels[name]) button.ariaLabel = labels[name];
      if (!sequence) {
        button.ariaPressed = 'false';
        this.#held[name] = button;
      }
      button.addEventListener('pointerdown', (event) => event.preventDefault()); // the keyboard stays open
      button.addEventListener('click', () => {
        if (!sequence) button.ariaPressed = String(button.ariaPressed !== 'true');
        else current()?.press((modes) => labels[name] ? `${ESC}${modes.applicationCursorKeysMode ? 'O' : '['}${sequence}` : sequence);
      });
      bar.append(button);
    }
  }

  // modified returns what is typed as with the keys that are held, and lets go of them.
  modified(data) {
    if (this.#release('Ctrl') && data.length === 1) data = data === ' ' ? '\0' : data === '?' ? '\x7f' : String.fromCharCode(data.toUpperCase().charCodeAt(0) & 31);
    if (this.#release('Alt')) data = `${ESC}${data}`;
    return data;
  }

  #release(name) {
    const isHeld = this.#held[name].ariaPressed === 'true';
    this.#held[name].ariaPressed = 'false';
    return isHeld;
  }
}
