// The send box and what belongs to it: as what a text goes, and files.

import { SendBox } from './box.js';
import { parseHex } from './hex.js';

const $ = (id) => document.getElementById(id);
const KEY = 'wspipe.send-as';

const ways = {
  text: { hint: 'Message', data: (text) => text },
  binary: { hint: 'Text, sent as its bytes', data: (text) => new TextEncoder().encode(text) },
  hex: { hint: 'Bytes, such as de ad be ef', data: parseHex },
};

export class SendPanel {
  #files = null; // a promise of the FilePanel, once there has been a file
  #load;
  #note;

  // send takes a string or a Uint8Array and reports whether it went; note shows a
  // line; endpoint tells how best to send a file.
  constructor(connection, send, note, endpoint) {
    this.#note = note;
    this.#load = () => import('./file.js').then(({ FilePanel }) => new FilePanel(connection, note, endpoint));
    const as = $('send-as');
    const chosen = () => { $('message').placeholder = ways[as.value].hint; };
    as.value = load();
    as.addEventListener('change', () => {
      save(as.value);
      chosen();
    });
    chosen();
    new SendBox($('send'), $('message'), (text) => {
      try {
        return send(ways[as.value].data(text));
      } catch (error) {
        note(`Not sent: ${error.message}`);
        return false;
      }
    });
    $('file-button').addEventListener('click', () => $('file').click());
    $('file').addEventListener('change', () => {
      this.#open([...$('file').files]);
      $('file').value = ''; // so that the same file can be chosen again
    });
    for (const type of ['dragover', 'dragleave', 'drop']) addEventListener(type, (event) => this.#drag(event));
  }

  // ended is to be called when the connection ends or is lost.
  ended() {
    this.#files?.then((panel) => panel.ended(), () => {});
  }

  async #open(files) {
    if (!files.length) return;
    try {
      this.#files ??= this.#load();
      await (await this.#files).open(files);
    } catch (error) {
      this.#note(`The file cannot be opened: ${error.message}`);
    }
  }

  // A file that is dropped beside the form must not replace the page, which would
  // end the connection. Dragged text is left to the box.
  #drag(event) {
    const { type, dataTransfer } = event;
    if (!dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    const over = $('send').contains(type === 'dragleave' ? event.relatedTarget : event.target);
    if (type === 'dragover') dataTransfer.dropEffect = over ? 'copy' : 'none';
    $('send').classList.toggle('drop', over && type !== 'drop');
    if (over && type === 'drop') this.#open([...dataTransfer.files]);
  }
}

// Storage can be forbidden, or hold what another page left.
function load() {
  try {
    const way = localStorage.getItem(KEY);
    return Object.hasOwn(ways, way) ? way : 'text';
  } catch {
    return 'text';
  }
}

function save(way) {
  try {
    localStorage.setItem(KEY, way);
  } catch {
    // see load
  }
}
