// Keeps the newest entry of the log in sight, until the user goes up to read.

import { count } from '../format.js';

export class Follower {
  #log;
  #jump;
  #stick;
  #top = 0; // last scroll position
  #seen = 0; // the total when following ended

  on = true;
  total = 0; // how many entries have been shown

  // stick brings the newest into sight, if it is to be followed.
  constructor(log, jump, stick) {
    this.#log = log;
    this.#jump = jump;
    this.#stick = stick;
    log.addEventListener('scroll', () => this.#scrolled());
    log.addEventListener('keydown', (event) => this.#key(event));
    log.addEventListener('wheel', ({ deltaY }) => { if (deltaY < 0) this.#up(); }, { passive: true });
    jump.addEventListener('click', () => {
      this.start();
      log.focus();
    });
  }

  start() {
    this.on = true;
    this.#stick();
    this.show();
  }

  leave() {
    if (this.on) this.#seen = this.total;
    this.on = false;
    this.show();
  }

  toEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#top = this.#log.scrollTop;
  }

  show() {
    const fresh = this.total - this.#seen;
    this.#jump.hidden = this.on;
    this.#jump.textContent = fresh > 0 ? `${count(fresh)} new – jump to newest` : 'Jump to newest';
  }

  #key(event) {
    if (event.target !== this.#log || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (event.key === 'PageUp' || event.key === 'ArrowUp') this.#up();
    if (event.key !== 'Home' && event.key !== 'End') return;
    event.preventDefault(); // the browser would glide through all blocks on the way
    if (event.key === 'End') this.start();
    else {
      this.leave();
      this.#log.scrollTop = 0;
    }
  }

  // up stops following when a glide upwards begins: its first steps are too small.
  #up() {
    if (this.#log.scrollTop > 0) this.leave();
  }

  #scrolled() {
    const top = this.#log.scrollTop;
    const below = this.#log.scrollHeight - this.#log.clientHeight - top;
    // Going down near the end is enough to follow again, as the end moves on;
    // going up by the least amount is enough to stop, if the log did not shrink.
    if (top < this.#top) {
      if (below >= 1) this.leave();
    } else if (top > this.#top && below < 40) this.on = true;
    this.#top = top;
    this.show();
  }
}
