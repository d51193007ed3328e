// A line editor for programs that have no terminal, whose kernel would have one:
// echo, corrections, history, and a whole line at a time.

const KEYS = /\x1b\[[?>=0-9;]*[@-~]|\x1bO[@-~]|\x1b[P\]^_X][^\x1b\x07]*(?:\x1b\\|\x07)|\x1b.|[^]/gu;
const LONGEST = 4095, KEPT = 100; // characters of a line, as termios(3) has it; lines of history

export class LineEditor {
  #terminal;
  #flow;
  #on;
  #line = []; // characters
  #at = 0; // the cursor is before this one
  #shown = null; // {start, row}: the column where the line starts, and how far down the cursor is
  #history = [];
  #recalled = 0; // where in history; its length is the line being written
  #draft = [];

  // on has line(text), interrupt(), and end() of the input.
  constructor(terminal, flow, on) {
    this.#terminal = terminal;
    this.#flow = flow;
    this.#on = on;
  }

  // type takes what keys, or a paste, sent.
  type(data) {
    for (const [key] of data.matchAll(KEYS)) this.#press(key.replace('\x1bO', '\x1b['));
    if (this.#shown || !this.#flow.waiting) this.show();
  }

  // hide makes way for output, after which there is to be a show, as soon as all
  // is on the screen: only then it is known where the line starts. It reports
  // whether there was anything to hide.
  hide() {
    if (!this.#shown) return false;
    this.#flow.write(this.#erased());
    this.#shown = null;
    return true;
  }

  show() {
    if (!this.#shown && !this.#line.length) return;
    const { cols, buffer } = this.#terminal;
    const from = this.#shown?.start ?? buffer.active.cursorX;
    const start = from < cols ? from : 0, before = this.#shown ? this.#erased() : from < cols ? '' : '\r\n';
    const end = advance(this.#line, start, cols), cursor = advance(this.#line.slice(0, this.#at), start, cols);
    const wrap = end.row && !end.column ? ' \b' : ''; // a terminal stays at the right edge until there is more
    const up = end.row - cursor.row;
    this.#shown = { start, row: cursor.row };
    this.#flow.write(`${before}${drawn(this.#line)}${wrap}${up ? `\x1b[${up}A` : ''}\x1b[${cursor.column + 1}G`);
  }

  // clear forgets the line, but not the history.
  clear() {
    this.#line = [];
    this.#at = 0;
    this.#shown = null;
  }

  #press(key) {
    switch (key) {
      case '\r': case '\n': return this.#enter();
      case '\x03': return this.#interrupt();
      case '\x04': return this.#line.length ? this.#remove(this.#at, this.#at + 1) : this.#on.end();
      case '\x7f': case '\b': return this.#remove(this.#at - 1, this.#at);
      case '\x1b[3~': return this.#remove(this.#at, this.#at + 1);
      case '\x15': return this.#remove(0, this.#at);
      case '\x0b': return this.#remove(this.#at, this.#line.length);
      case '\x17': return this.#remove(this.#wordStart(), this.#at);
      case '\x1b[D': return this.#move(this.#at - 1);
      case '\x1b[C': return this.#move(this.#at + 1);
      case '\x01': case '\x1b[H': return this.#move(0);
      case '\x05': case '\x1b[F': return this.#move(this.#line.length);
      case '\x1b[A': return this.#recall(this.#recalled - 1);
      case '\x1b[B': return this.#recall(this.#recalled + 1);
    }
    if (key !== '\t' && /^[\0-\x1f]/.test(key) || this.#line.length === LONGEST) return;
    this.#line.splice(this.#at++, 0, key);
  }

  #enter() {
    const text = this.#line.join('');
    this.#leave('');
    if (text && text !== this.#history.at(-1)) this.#history = [...this.#history, text].slice(-KEPT);
    this.#recalled = this.#history.length;
    this.#on.line(text);
  }

  #interrupt() {
    this.#leave('^C');
    this.#recalled = this.#history.length;
    this.#on.interrupt();
  }

  // leave lets the line stand, and what follows begins below it.
  #leave(mark) {
    this.#flow.write(`${this.#shown ? this.#erased() : ''}${drawn(this.#line)}${mark}\r\n`);
    this.clear();
  }

  #remove(from, to) {
    from = Math.max(from, 0);
    this.#line.splice(from, to - from);
    this.#at = Math.min(from, this.#line.length);
  }

  #move(to) {
    this.#at = Math.min(Math.max(to, 0), this.#line.length);
  }

  #wordStart() {
    const before = this.#line.slice(0, this.#at).join('');
    return [...before.replace(/\S*\s*$/, '')].length;
  }

  #recall(to) {
    if (to < 0 || to > this.#history.length) return;
    if (this.#recalled === this.#history.length) this.#draft = this.#line;
    this.#recalled = to;
    this.#line = to < this.#history.length ? [...this.#history[to]] : this.#draft;
    this.#at = this.#line.length;
  }

  // erased takes the line off the screen, and the cursor to where it started.
  #erased() {
    const { start, row } = this.#shown;
    return `${row ? `\x1b[${row}A` : ''}\x1b[${start + 1}G\x1b[J`;
  }
}

const drawn = (line) => line.join('').replaceAll('\t', ' ');

// advance is where a cursor gets by writing characters from a column on.
function advance(characters, column, cols) {
  let row = 0;
  for (const character of characters) {
    const wide = width(character);
    if (column + wide > cols) {
      row++;
      column = 0;
    }
    column += wide;
  }
  return column < cols ? { row, column } : { row: row + 1, column: 0 };
}

// width is in cells, as xterm.js has it with its Unicode 11 tables, more or less.
function width(character) {
  if (/[\p{Mn}\p{Me}\p{Cf}]/u.test(character)) return 0;
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u.test(character) ? 2 : 1;
}
