// The line above the composer that says what went wrong, or was done.

export class Note {
  #parts;
  #run = null;

  // parts are the elements note and noteAction.
  constructor(parts) {
    this.#parts = parts;
    parts.noteAction.addEventListener('click', () => this.#run?.());
  }

  // show shows text, and a button for action, {label, run}, if there is one.
  show(text, action) {
    const { note, noteAction } = this.#parts;
    if (note.textContent !== text) note.textContent = text;
    this.#run = action?.run ?? null;
    noteAction.hidden = !action;
    noteAction.textContent = action?.label ?? '';
  }

  // action is that of the button, if there is one.
  get action() { return this.#run; }
}
