// On a phone all but the log, the keys and the composer is in a sheet.

const phone = matchMedia('(max-width: 40rem)');

export class Sheet {
  #parts;
  #places; // where each part belongs on a wide screen

  // parts are the elements sheet, sheetClose, more, and those that move there.
  constructor(parts) {
    this.#parts = parts;
    const { tools, subprotocolChip, connectionMenu, sendAs, fileButton, saveMessage, looks, inspect, rail, inspector, foot } = parts;
    this.#places = [tools, subprotocolChip, connectionMenu, sendAs, fileButton, saveMessage, looks, inspect, rail, inspector, foot].map((part) => {
      const mark = document.createComment('');
      part.before(mark);
      return [part, mark];
    });
    parts.more.addEventListener('click', () => parts.sheet.showModal());
    phone.addEventListener('change', () => this.#place());
    this.#place();
  }

  // reveal opens the sheet, on a phone, and shows a part of it.
  reveal(part) {
    if (!phone.matches) return;
    if (!this.#parts.sheet.open) this.#parts.sheet.showModal();
    part.scrollIntoView();
  }

  close() {
    this.#parts.sheet.close();
  }

  #place() {
    for (const [part, mark] of this.#places) {
      if (phone.matches) this.#parts.sheet.append(part);
      else mark.after(part);
    }
    if (!phone.matches && this.#parts.sheet.open) this.close();
    document.body.classList.toggle('phone', phone.matches);
    for (const menu of this.#parts.sheet.querySelectorAll('details.menu')) menu.open = true;
    if (!phone.matches) for (const menu of document.querySelectorAll('details.menu')) menu.open = false;
  }
}
