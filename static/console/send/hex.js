// parseHex takes what people write for bytes: de ad be ef, DEADBEEF, or
// 0xde, 0xad. It throws an Error that says what is wrong.
export function parseHex(typed) {
  const bytes = [];
  for (const word of typed.split(/[\s,]+/).filter(Boolean)) {
    const digits = word.replace(/^0x/i, '');
    if (!/^[\da-f]+$/i.test(digits)) throw new Error(`“${short(word)}” is not hexadecimal; bytes look like de ad be ef.`);
    if (digits.length % 2) throw new Error(`“${short(word)}” has half a byte; each has two digits, such as 0a.`);
    for (let i = 0; i < digits.length; i += 2) bytes.push(parseInt(digits.slice(i, i + 2), 16));
  }
  return Uint8Array.from(bytes);
}

const short = (word) => (word.length > 20 ? `${word.slice(0, 20)}…` : word);
