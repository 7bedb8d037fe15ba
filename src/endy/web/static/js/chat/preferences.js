// Theme and language of this browser, kept in cookies so that the server renders them at once.

import { remember } from "../shared/store.js";

export function startPreferences() {
  document.getElementsByName("theme").forEach((radio) => radio.addEventListener("change", () => setTheme(radio.value)));
  document.getElementsByName("language").forEach((radio) => radio.addEventListener("change", () => {
    remember("endy_lang", radio.value);
    // The conversation and the draft survive this in the tab's storage.
    location.reload();
  }));
}

function setTheme(choice) {
  const theme = choice === "auto" ? "" : choice;
  remember("endy_theme", theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
