// Sets a password by a one-time link; the token stands in the address's fragment, which is never sent.

import { call } from "../shared/api.js";
import { announce, byId } from "../shared/dom.js";
import { startReveal } from "../shared/reveal.js";
import { t } from "../shared/strings.js";

const SHORTEST = 10;
const token = location.hash.slice(1);

// Neither the history nor a shared screen should keep it.
window.history.replaceState(null, "", location.pathname);
if (token) start();
else showState("lost");

function start() {
  const field = byId("password-new");
  startReveal(field, byId("password-new-reveal"));
  field.addEventListener("input", () => byId("rule-length").classList.toggle("met", Array.from(field.value).length >= SHORTEST));
  byId("password-form").addEventListener("submit", submit);
  field.focus();
}

async function submit(event) {
  event.preventDefault();
  const field = byId("password-new");
  const button = event.target.querySelector("[type=submit]");
  if (Array.from(field.value).length < SHORTEST) return complain(t("password.short"));
  button.disabled = true;
  try {
    await call("POST", "/api/password/link", { body: { token, new_password: field.value } });
  } catch (error) {
    button.disabled = false;
    if (error.status === 404) return showState("lost");
    if (error.status === 422) return complain(error.said);
    return complain(t(error.code === "offline" || error.code === "network" ? "error.network" : "error.server"));
  }
  return showState("done");
}

function complain(words) {
  byId("password-error").textContent = words;
  byId("password-new").focus();
}

function showState(name) {
  for (const state of ["form", "lost", "done"]) byId(`state-${state}`).hidden = state !== name;
  const title = byId(`state-${name}`).querySelector("h2");
  title.focus();
  announce(title.textContent);
}
