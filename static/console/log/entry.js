// event returns an entry that says what happened to the connection.
export function event(text) {
  return { kind: 'event', at: Date.now(), size: 0, data: text, channel: '' };
}
