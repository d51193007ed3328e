// Tabs as the ARIA practices have them: arrows, Home and End go from one to the
// next, and the one in focus is the one that is shown.

export class Tabs {
  #tabs;
  #shown;

  // shown is called with the ID of a panel when it has come to be seen.
  constructor(list, shown) {
    this.#tabs = [...list.querySelectorAll('[role="tab"]')];
    this.#shown = shown;
    for (const tab of this.#tabs) tab.addEventListener('click', () => this.select(panelOf(tab).id));
    list.addEventListener('keydown', (event) => this.#key(event));
  }

  get selected() {
    return panelOf(this.#tabs.find((tab) => tab.ariaSelected === 'true')).id;
  }

  select(id) {
    for (const tab of this.#tabs) {
      const panel = panelOf(tab), on = panel.id === id;
      tab.ariaSelected = String(on);
      tab.tabIndex = on ? 0 : -1;
      panel.hidden = !on;
    }
    this.#shown(id);
  }

  #key(event) {
    const at = this.#tabs.indexOf(event.target), last = this.#tabs.length - 1;
    const to = { ArrowLeft: at > 0 ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#tabs[to].focus();
    this.select(panelOf(this.#tabs[to]).id);
  }
}

const panelOf = (tab) => document.getElementById(tab.getAttribute('aria-controls'));
