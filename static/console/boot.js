// Runs before the page is drawn, also in browsers that have no modules: it chooses
// the theme, and shows a sentence where the console cannot run.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem('wspipe.theme');
  } catch (error) {
    // Storage is forbidden.
  }
  var dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.setAttribute('data-theme', dark ? 'dark' : 'light');

  document.addEventListener('DOMContentLoaded', function () {
    var able = 'findLast' in Array.prototype && 'ariaPressed' in Element.prototype && 'adoptedStyleSheets' in document && window.CSS && CSS.supports('color', 'color-mix(in srgb, red, red)');
    // The console sets the state when it starts, before this event.
    if (!able || !document.body.getAttribute('data-state')) document.getElementById('too-old').hidden = false;
  });
})();
