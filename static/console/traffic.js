// Traffic shows what has passed over the connection, and how fast. The counters are
// noted at the end of each second. Without traffic no timer runs.

import { bytes, count, plural } from './format.js';

const SECONDS = 60;
const [WIDTH, HEIGHT] = [120, 24]; // of the plot's viewBox
const SPOKEN = 5; // seconds between texts for screen readers

const second = () => Math.floor(performance.now() / 1000);

export class Traffic {
  #parts;
  #connection;
  #counted; // the counter of the connection that is shown: another one has another
  #noted; // {received, sent, bytes}, oldest first; the last is of the second underway
  #second = second(); // which that is
  #timer = 0;
  #frame = 0;
  #lines = ['received', 'sent'].map((name) => {
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
    line.classList.add(name);
    return line;
  });

  // parts are the elements received, sent, rate and plot.
  constructor(parts, connection) {
    this.#parts = parts;
    this.#connection = connection;
    parts.plot.append(...this.#lines);
    document.addEventListener('visibilitychange', () => this.update());
  }

  // connection is another client's.
  set connection(connection) {
    this.#connection = connection;
    this.update();
  }

  // update is to be called when something has passed, or the connection is another.
  update() {
    const { received, sent } = this.#connection;
    if (this.#counted !== received) {
      this.#counted = received;
      this.#noted = Array(SECONDS + 2).fill({ received: 0, sent: 0, bytes: 0 });
    }
    this.#advance();
    this.#noted[SECONDS + 1] = { received: received.messages, sent: sent.messages, bytes: received.bytes };
    if (document.hidden) return;
    this.#frame ||= requestAnimationFrame(() => this.#showCounters());
    this.#timer ||= setTimeout(() => this.#tick(), 1000 - (performance.now() % 1000));
  }

  #advance() {
    const now = second();
    const passed = Math.min(now - this.#second, SECONDS + 1);
    this.#second = now;
    if (!passed) return;
    this.#noted.splice(0, passed);
    while (this.#noted.length < SECONDS + 2) this.#noted.push(this.#noted.at(-1));
  }

  #tick() {
    this.#timer = 0;
    this.#advance();
    const [oldest, newest] = [this.#noted[0], this.#noted.at(-1)];
    const still = oldest.received === newest.received && oldest.sent === newest.sent;
    this.#plot(still || this.#second % SPOKEN === 0);
    if (!still) this.update();
  }

  #showCounters() {
    this.#frame = 0;
    const { received, sent } = this.#connection;
    this.#parts.received.textContent = `${plural(received.messages, 'message')}, ${bytes(received.bytes)}`;
    this.#parts.sent.textContent = `${plural(sent.messages, 'message')}, ${bytes(sent.bytes)}`;
  }

  #plot(speak) {
    const rates = ['received', 'sent', 'bytes'].map((what) => this.#rates(what));
    const [received, sent] = rates;
    const most = Math.max(...received, ...sent);
    this.#lines.forEach((line, i) => line.setAttribute('points', points(rates[i], most || 1)));
    const [now, out, size] = rates.map((rate) => rate.at(-1));
    this.#parts.rate.textContent = `${plural(now, 'message')}/s, ${bytes(size)}/s`;
    if (speak) this.#parts.plot.ariaLabel = `Messages each second: received ${count(now)}, sent ${count(out)}; at most ${count(most)} in the last minute`;
  }

  // #rates is how much there was of something in each of the last seconds.
  #rates(what) {
    return Array.from({ length: SECONDS }, (_, i) => this.#noted[i + 1][what] - this.#noted[i][what]);
  }
}

const points = (rates, most) => rates.map((n, i) => `${i * WIDTH / (SECONDS - 1)},${HEIGHT - 1 - (HEIGHT - 2) * n / most}`).join(' ');
