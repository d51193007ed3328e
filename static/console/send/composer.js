// The composer: the message box and what belongs to it.

import { load, save } from '../storage.js';
import { SendBox } from './box.js';
import { parseHex } from './hex.js';

const KEY = 'wspipe.send-as';

const ways = {
  text: { hint: 'Message', data: (text) => text },
  binary: { hint: 'Text, sent as its bytes', data: (text) => new TextEncoder().encode(text) },
  hex: { hint: 'Bytes, such as de ad be ef', data: parseHex },
};

export class Composer {
  #parts;
  #page;
  #box;
  #files = null; // a promise of the FilePanel, once there has been a file

  // parts are the elements of the composer. page has active, the Pane that messages
  // go to, and note(text).
  constructor(parts, page) {
    this.#parts = parts;
    this.#page = page;
    const { sendAs, send, message, file, fileButton } = parts;
    const way = load(KEY);
    sendAs.value = Object.hasOwn(ways, way ?? '') ? way : 'text';
    sendAs.addEventListener('change', () => {
      save(KEY, sendAs.value);
      this.show();
    });
    this.#box = new SendBox(send, message, (text) => this.#send(text));
    fileButton.addEventListener('click', () => file.click());
    file.addEventListener('change', () => {
      this.#open([...file.files]);
      file.value = ''; // so that the same file can be chosen again
    });
    for (const type of ['dragover', 'dragleave', 'drop']) addEventListener(type, (event) => this.#drag(event));
  }

  // text is what is in the box.
  get text() { return this.#box.text; }
  set text(text) { this.#box.text = text; }

  // data is that as it would be sent.
  get data() { return ways[this.#parts.sendAs.value].data(this.text); }

  // show follows the pane in use.
  show() {
    const { message, sendAs } = this.#parts;
    const { info, name } = this.#page.active;
    const hint = ways[sendAs.value].hint;
    message.placeholder = info?.readonly ? 'Read-only: the server discards input' : this.#page.panes.length > 1 && hint === 'Message' ? `Message to ${name}` : hint;
  }

  focus() { this.#parts.message.focus(); }

  // submit sends what is in the box, as Enter does.
  submit() { this.#parts.send.requestSubmit(); }

  // ended is to be called when the connection ends or is lost.
  ended() {
    this.#files?.then((panel) => panel.ended(), () => {});
  }

  #send(text) {
    try {
      return this.#page.active.send(ways[this.#parts.sendAs.value].data(text));
    } catch (error) {
      this.#page.note(`Not sent: ${error.message}`);
      return false;
    }
  }

  async #open(files) {
    if (!files.length) return;
    try {
      this.#files ??= import('./file.js').then(({ FilePanel }) => new FilePanel(this.#parts, this.#page));
      await (await this.#files).open(files);
    } catch (error) {
      this.#page.note(`The file cannot be opened: ${error.message}`);
    }
  }

  // A file that is dropped beside the form must not replace the page, which would
  // end the connection. Dragged text is left to the box.
  #drag(event) {
    const { type, dataTransfer } = event, { send } = this.#parts;
    if (!dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    const over = send.contains(type === 'dragleave' ? event.relatedTarget : event.target);
    if (type === 'dragover') dataTransfer.dropEffect = over ? 'copy' : 'none';
    send.classList.toggle('drop', over && type !== 'drop');
    if (over && type === 'drop') this.#open([...dataTransfer.files]);
  }
}
