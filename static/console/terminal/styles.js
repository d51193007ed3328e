// The terminal's style sheets. Whoever imports this module waits for them: the
// terminal measures itself as it opens.

import { styles } from '../styles.js';

await styles('vendor/xterm/xterm.css', 'console/terminal/terminal.css');
