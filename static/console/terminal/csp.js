// xterm.js makes <style> elements and style attributes, which the page's
// Content-Security-Policy forbids, and it takes them from the global document,
// whatever its option documentOverride says. The style sheets and properties of
// the CSSOM, which are allowed, stand in for both.

class Style extends HTMLElement {
  #sheet = new CSSStyleSheet();

  set textContent(css) {
    this.#sheet.replaceSync(css);
  }

  connectedCallback() {
    document.adoptedStyleSheets.push(this.#sheet);
  }

  disconnectedCallback() {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.#sheet);
  }
}
customElements.define('wspipe-style', Style);

document.createElement = (name, options) => Document.prototype.createElement.call(document, name === 'style' ? 'wspipe-style' : name, options);

// The cells of a line are spans.
HTMLSpanElement.prototype.setAttribute = function (name, value) {
  if (name === 'style') this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
};
