// Copying rows by the browser's own means: a row is a line, not a line a cell.

// copyRows handles the copy event of a log.
export function copyRows(event, log) {
  const selection = getSelection();
  if (!selection.rangeCount) return;
  const range = selection.getRangeAt(0);
  const rows = [...log.querySelectorAll('.row')].filter((row) => range.intersectsNode(row));
  // Of a part of one message the browser makes what is selected.
  if (rows.length < 2 && (!rows[0] || rows[0].lastElementChild.contains(range.startContainer))) return;
  event.clipboardData.setData('text/plain', rows.map((row) => lineOf(row, range)).filter(Boolean).join('\n'));
  event.preventDefault();
}

function lineOf(row, range) {
  const cells = [...row.children].filter((cell) => range.intersectsNode(cell));
  return cells.map((cell) => selectedText(cell, range)).filter(Boolean).join('\t');
}

// selectedText is the part of an element's text that is in range.
function selectedText(element, range) {
  const part = document.createRange();
  part.selectNodeContents(element);
  if (part.compareBoundaryPoints(Range.START_TO_START, range) < 0) part.setStart(range.startContainer, range.startOffset);
  if (part.compareBoundaryPoints(Range.END_TO_END, range) > 0) part.setEnd(range.endContainer, range.endOffset);
  return part.toString();
}
