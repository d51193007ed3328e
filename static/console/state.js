// The state of a client of the page, and all that can happen to it.

const transitions = {
  prepare: [['closed'], 'preparing'], // Connect was pressed: address and endpoint are looked at
  fail: [['preparing'], 'closed'],
  connect: [['preparing'], 'connecting'],
  open: [['connecting'], 'open'],
  lose: [['open', 'lost'], 'lost'], // and the connection is being made again
  resume: [['lost'], 'open'],
  close: [['connecting', 'open', 'lost'], 'closing'],
  end: [['connecting', 'open', 'lost', 'closing'], 'closed'],
};

export class State {
  #phase = 'closed';
  #openedAt = 0;
  #runs = 0;
  #view = 'messages';
  #viewChosen = false;
  #split = false;
  #changed;

  // changed(transition) is called after each transition, with its name.
  constructor(changed) {
    this.#changed = changed;
  }

  // phase is closed, preparing, connecting, open, lost or closing.
  get phase() { return this.#phase; }

  // live: messages can be sent, now or as soon as the connection is made again.
  get live() { return this.#phase === 'open' || this.#phase === 'lost'; }

  // runs is how many connections were begun.
  get runs() { return this.#runs; }

  // openedAt is when the connection was opened, in milliseconds since 1970.
  get openedAt() { return this.#openedAt; }

  // view is 'messages' or 'terminal'.
  get view() { return this.#view; }
  get viewChosen() { return this.#viewChosen; }

  // split: both views are shown, side by side.
  get split() { return this.#split; }

  prepare() { this.#move('prepare'); }
  fail() { this.#move('fail'); }
  lose() { this.#move('lose'); }
  resume() { this.#move('resume'); }
  close() { this.#move('close'); }
  end() { this.#move('end'); }

  connect() {
    this.#runs++;
    this.#move('connect');
  }

  open() {
    this.#openedAt = Date.now();
    this.#move('open');
  }

  // show changes the view; byUser: the page does not change it again by itself.
  show(view, byUser) {
    this.#view = view;
    this.#viewChosen ||= byUser;
    this.#changed('show');
  }

  divide(split) {
    this.#split = split;
    this.#changed('show');
  }

  #move(name) {
    const [from, to] = transitions[name];
    if (!from.includes(this.#phase)) throw new Error(`${name}: the connection is ${this.#phase}`);
    this.#phase = to;
    this.#changed(name);
  }
}
