// A button that shows what stands in a password field.

import { t } from "./strings.js";

export function startReveal(field, button) {
  button.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    button.setAttribute("aria-label", t(shown ? "password.hide" : "password.show"));
    field.focus();
  });
}
