// Replay counts the messages of a resumed session that the page before a reload
// had received: the server sends what it holds first.

export class Replay {
  #bytes;

  messages = 0;

  // bytes is how many of the session the page had received.
  constructor(bytes) {
    this.#bytes = bytes;
  }

  add() {
    this.messages++;
  }

  // isComplete reports whether so many bytes are all that was held.
  isComplete(bytes) {
    return bytes >= this.#bytes;
  }
}
