// What the page remembers for the user. Storage can be forbidden or full: a choice
// then lasts as long as the page.

// load returns the text stored under key, or null.
export function load(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function save(key, text) {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

// loadList returns the array stored under key, without what valid rejects, or
// otherwise where there is none.
export function loadList(key, valid, otherwise = []) {
  try {
    const list = JSON.parse(localStorage.getItem(key) ?? '[]');
    return Array.isArray(list) ? list.filter(valid) : [];
  } catch {
    return otherwise;
  }
}
