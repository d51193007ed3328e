// Colours that can be read whatever a program chooses, in both schemes.

// Colours are [red, green, blue]; those of the page are pairs, for the light and
// the dark theme: --text and --panel of console.css.
const TEXT = [[27, 37, 48], [226, 232, 238]];
const BACK = [[255, 255, 255], [25, 31, 38]];

// WCAG AA asks for 4.5:1; rows have backgrounds a little off the panel's.
const CONTRAST = 5.4;

const base = '000000 c03030 2f8a2f a07000 3060d0 a040a0 108090 b8b8b8 707070 e05050 40b040 d0a020 5090f0 d070d0 30b0c0 ffffff'
  .split(' ').map((rgb) => [0, 2, 4].map((i) => parseInt(rgb.slice(i, i + 2), 16)));

// indexed is one of the 256 colours of xterm, or undefined.
export function indexed(n) {
  if (!(n < 256)) return undefined;
  if (n < 16) return base[n];
  if (n >= 232) return Array(3).fill(8 + 10 * (n - 232));
  const step = (v) => (v ? 55 + 40 * v : 0);
  return [step(Math.floor((n - 16) / 36)), step(Math.floor((n - 16) / 6) % 6), step((n - 16) % 6)];
}

function luminance(color) {
  const [r, g, b] = color.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const mix = (a, b, share) => a.map((c, i) => Math.round(c + (b[i] - c) * share));

// readable moves a colour towards black or white until it can be read on back.
function readable(color, back) {
  const [black, white] = [[0, 0, 0], [255, 255, 255]];
  const goal = contrast(black, back) > contrast(white, back) ? black : white;
  const enough = Math.min(CONTRAST, contrast(goal, back));
  let share = 0;
  while (share < 1 && contrast(mix(color, goal, share), back) < enough) share += 0.05;
  return mix(color, goal, Math.min(share, 1));
}

const known = new Map(); // styles that were computed

// paint colours element; each colour is a pair, or undefined for the page's. Safari
// 16.4 has no light-dark().
export function paint(element, fore, back, dim, inverse) {
  const key = [fore?.[0], back?.[0], dim, inverse].join();
  let pairs = known.get(key);
  if (!pairs) {
    pairs = computed(fore, back, dim, inverse);
    if (known.size > 2000) known.clear(); // a program may use them all
    known.set(key, pairs);
  }
  for (const [name, pair] of pairs) {
    element.classList.add(name);
    element.style.setProperty(`--${name}-light`, `rgb(${pair[0]})`);
    element.style.setProperty(`--${name}-dark`, `rgb(${pair[1]})`);
  }
}

function computed(fore, back, dim, inverse) {
  if (inverse) [fore, back] = [back ?? BACK, fore ?? TEXT];
  const colors = [0, 1].map((i) => {
    const ground = (back ?? BACK)[i];
    const color = (fore ?? TEXT)[i];
    return readable(dim ? mix(color, ground, 0.4) : color, ground);
  });
  return back ? [['fore', colors], ['back', back]] : [['fore', colors]];
}
