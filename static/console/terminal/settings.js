// What the user has chosen for the terminal stays chosen.

const FONT = 'wspipe.console.font', READER = 'wspipe.console.reader';
const SMALLEST = 8, LARGEST = 32, USUAL = 14; // px

const $ = (id) => document.getElementById(id);

export const fontSize = () => clamp(Number(load(FONT)) || USUAL);

// setUp makes the settings' controls work. fit is called when text has another size.
export function setUp(terminal, fit) {
  const size = (n) => {
    terminal.options.fontSize = n;
    $('font-size').value = `${n} px`;
    $('font-smaller').disabled = n === SMALLEST;
    $('font-larger').disabled = n === LARGEST;
  };
  const by = (step) => () => {
    const n = clamp(terminal.options.fontSize + step);
    size(n);
    save(FONT, n);
    fit();
  };
  size(terminal.options.fontSize);
  $('font-smaller').addEventListener('click', by(-1));
  $('font-larger').addEventListener('click', by(1));

  // What is read out has to be kept up with each character: it is for who needs it.
  const reader = $('screen-reader');
  reader.checked = terminal.options.screenReaderMode = load(READER) === 'on';
  reader.addEventListener('change', () => {
    terminal.options.screenReaderMode = reader.checked;
    save(READER, reader.checked ? 'on' : 'off');
  });
}

const clamp = (n) => Math.min(Math.max(Math.round(n), SMALLEST), LARGEST);

function load(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is forbidden: then for this page only
  }
}

function save(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // see load
  }
}
