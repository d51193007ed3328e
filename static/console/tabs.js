// Tabs as the ARIA practices have them: arrows, Home and End go from one to the
// next, and the one in focus is the one that is shown.

export class Tabs {
  #tabs;
  #names;
  #shown;

  // list holds the tabs, each with the ID "NAME-tab"; shown(name, byUser) is called
  // when another one is selected.
  constructor(list, shown) {
    this.#tabs = [...list.querySelectorAll('[role="tab"]')];
    this.#names = this.#tabs.map(({ id }) => id.replace(/-tab$/, ''));
    this.#shown = shown;
    this.#tabs.forEach((tab, i) => tab.addEventListener('click', () => this.select(this.#names[i], true)));
    list.addEventListener('keydown', (event) => this.#key(event));
  }

  select(name, byUser) {
    this.show(name);
    this.#shown(name, byUser);
  }

  // show marks a tab as the selected one. panels are the elements that the tabs
  // show now, by name, if those are others.
  show(name, panels = {}) {
    this.#tabs.forEach((tab, i) => {
      const on = this.#names[i] === name;
      tab.ariaSelected = String(on);
      tab.tabIndex = on ? 0 : -1;
      const panel = panels[this.#names[i]];
      if (panel) tab.setAttribute('aria-controls', panel.id);
    });
  }

  #key(event) {
    const at = this.#tabs.indexOf(event.target), last = this.#tabs.length - 1;
    const to = { ArrowLeft: at > 0 ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#tabs[to].focus();
    this.select(this.#names[to], true);
  }
}
