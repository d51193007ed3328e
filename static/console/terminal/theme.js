// Colours of the terminal, light and dark. The ones that text is written in have
// a contrast of 4.5 or more with the background, as WCAG AA wants it. Black on
// dark and the two whites on light are backgrounds rather: xterm.js' option
// minimumContrastRatio sees to text in these, as in all other colours.

const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white',
  'brightBlack', 'brightRed', 'brightGreen', 'brightYellow', 'brightBlue', 'brightMagenta', 'brightCyan', 'brightWhite'];

const palettes = {
  light: {
    colors: ['#1b2530', '#b3261e', '#1b7a3d', '#8a5a00', '#1d5fbf', '#8a3aa3', '#0f6b74', '#d5dce3',
      '#5f6b77', '#c62f27', '#23793f', '#906000', '#2b69cc', '#9b45b5', '#127680', '#f0f3f6'],
    selection: '#b8dde1', match: '#ffe48f', active: '#ffb454', edge: '#8a5200',
  },
  dark: {
    colors: ['#0d1218', '#ff8b80', '#6fd08f', '#e3b341', '#79b8ff', '#d2a8ff', '#63c7d0', '#c9d3dc',
      '#95a3b0', '#ffb0a8', '#9be8b4', '#f5d98b', '#a8d3ff', '#e5c9ff', '#9ee6ec', '#ffffff'],
    selection: '#2c555c', match: '#5b4a16', active: '#8f5a00', edge: '#e9b566',
  },
};

const palette = () => palettes[document.documentElement.dataset.theme];

// variable is a custom property of console.css.
export const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function theme() {
  const { colors, selection } = palette();
  return {
    ...Object.fromEntries(names.map((name, i) => [name, colors[i]])),
    background: variable('--panel'), foreground: variable('--text'),
    cursor: variable('--accent'), cursorAccent: variable('--panel'),
    selectionBackground: selection, selectionInactiveBackground: selection,
  };
}

// decorations are how the search addon marks what it found.
export function decorations() {
  const { match, active, edge } = palette();
  return {
    matchBackground: match, matchOverviewRuler: edge,
    activeMatchBackground: active, activeMatchBorder: edge, activeMatchColorOverviewRuler: edge,
  };
}
