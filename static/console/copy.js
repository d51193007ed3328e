// The way to the clipboard.

// copy says whether text went there.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // There is no navigator.clipboard on plain http: but for this very machine.
    return copySelected(text);
  }
}

function copySelected(text) {
  const back = document.activeElement;
  const box = document.createElement('textarea');
  box.className = 'unseen';
  box.value = text;
  document.body.append(box);
  box.select();
  const done = document.execCommand('copy');
  box.remove();
  back?.focus();
  return done;
}
