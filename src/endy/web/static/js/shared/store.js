// What this browser remembers; a full or forbidden storage must never stop the page.

function area(storage) {
  return {
    get(key, otherwise = null) {
      try {
        return JSON.parse(storage().getItem(key)) ?? otherwise;
      } catch {
        return otherwise;
      }
    },
    set(key, value) {
      try {
        storage().setItem(key, JSON.stringify(value));
      } catch {
        return false;
      }
      return true;
    },
    remove(key) {
      try {
        storage().removeItem(key);
      } catch {
        return false;
      }
      return true;
    },
  };
}

// Read at each use: with cookies blocked, even naming the storage throws.
export const tab = area(() => sessionStorage);
export const device = area(() => localStorage);

const YEAR = 60 * 60 * 24 * 365;

// A cookie, because the server renders the page in this language and theme.
export function remember(name, value) {
  const age = value ? YEAR : 0;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${value}; Path=/; Max-Age=${age}; SameSite=Lax${secure}`;
}
