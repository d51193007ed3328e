// The terminal as xterm.js draws it: its settings, its size, and links.

import { FitAddon } from '../../vendor/xterm/addon-fit.mjs';
import { Unicode11Addon } from '../../vendor/xterm/addon-unicode11.mjs';
import { WebLinksAddon } from '../../vendor/xterm/addon-web-links.mjs';
import { Terminal } from '../../vendor/xterm/xterm.mjs';
import './csp.js';
import { theme, variable } from './theme.js';

// openScreen returns a Terminal in element and a function that gives it the
// element's size. resized is called when that has changed; look is the page's Look.
export function openScreen(element, look, resized) {
  const link = { activate: (event, uri) => open(uri, '_blank', 'noopener,noreferrer'), hover: (event, uri) => hover(element, uri), leave: () => hover(element, '') };
  const terminal = new Terminal({
    allowProposedApi: true, // of the search's decorations
    cursorInactiveStyle: 'outline',
    fontFamily: variable('--mono'),
    fontSize: look.size,
    linkHandler: link, // of OSC 8; xterm.js leaves out what is not http or https
    minimumContrastRatio: 4.5,
    scrollback: 5000,
    theme: theme(),
  });
  const fitting = new FitAddon();
  terminal.loadAddon(fitting);
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = '11'; // emoji have two cells, as programs have it
  terminal.loadAddon(new WebLinksAddon(link.activate, link));
  terminal.open(element);
  look.addEventListener('theme', () => { terminal.options.theme = theme(); });
  look.addEventListener('size', () => {
    terminal.options.fontSize = look.size;
    resized();
  });

  let frame;
  new ResizeObserver(() => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(resized);
  }).observe(element);
  const fit = () => { if (element.offsetParent) fitting.fit(); };
  fit();
  return { terminal, fit };
}

// hover shows where a link leads, whatever its text says: hosts in ASCII.
function hover(element, uri) {
  if (!uri) element.removeAttribute('title');
  else element.title = new URL(uri).href;
}
