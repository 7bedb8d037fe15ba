// The login dialog: by password, by name where that is allowed, or with the company's account.

import { ApiError, call } from "./api.js";
import { announce, byId, openModal } from "./dom.js";
import { startReveal } from "./reveal.js";
import { duration, t } from "./strings.js";

const secret = () => byId("login-secret");
let lockedUntil = 0;
let timer;

// Resolves to the person who signed in, or null when the dialog was closed.
export function openLogin(why = "") {
  const dialog = byId("login");
  prepare();
  byId("login-why").textContent = why;
  byId("login-why").hidden = !why;
  byId("login-error").textContent = "";
  openModal(dialog);
  (byId("login-form") ? byId("login-number") : byId("login-sso")).focus();
  return new Promise((resolve) => {
    let person = null;
    const submitted = async (event) => {
      event.preventDefault();
      person = await submit();
      if (person) dialog.close();
    };
    byId("login-form")?.addEventListener("submit", submitted);
    dialog.addEventListener("close", () => {
      byId("login-form")?.removeEventListener("submit", submitted);
      if (secret()) secret().value = "";
      resolve(person);
    }, { once: true });
  });
}

function prepare() {
  const dialog = byId("login");
  // The provider sends people back to where they were; what they typed waits in the tab's storage.
  byId("login-sso")?.setAttribute("href", `/api/sso/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (dialog.dataset.ready) return;
  dialog.dataset.ready = "yes";
  if (secret()) startReveal(secret(), byId("login-reveal"));
  byId("login-way")?.addEventListener("click", () => askFor(secret().name === "name" ? "password" : "name"));
}

// Development knows two ways; the second field changes between them.
function askFor(way) {
  Object.assign(secret(), { name: way, type: way === "name" ? "text" : "password", value: "" });
  secret().autocomplete = way === "name" ? "name" : "current-password";
  byId("login-secret-label").textContent = t(`login.${way}`);
  byId("login-reveal").hidden = way === "name";
  byId("login-way").textContent = t(way === "name" ? "login.by.password" : "login.by.name");
  secret().focus();
}

async function submit() {
  const number = byId("login-number").value.trim();
  if (!number || !secret().value.trim()) return complain(t("login.missing"), number ? secret() : byId("login-number"));
  if (Date.now() < lockedUntil) return null;
  const button = byId("login-form").querySelector("[type=submit]");
  button.disabled = true;
  try {
    const body = { employee_id: number, [secret().name]: secret().value };
    const answer = await call("POST", "/api/login", { body });
    if (!answer.success) throw new ApiError({ code: "authentication_failed", status: 401 });
    announce(t("login.hello", { name: answer.user.name }));
    return answer.user;
  } catch (error) {
    if (error.status === 429) return lock(error.retryAfter);
    if (secret().type === "password") secret().value = "";
    return complain(reason(error), secret());
  } finally {
    button.disabled = Date.now() < lockedUntil;
  }
}

function complain(text, field) {
  byId("login-error").textContent = text;
  field.focus();
  return null;
}

function reason(error) {
  if (error.status === 401 || error.status === 422) return t(`login.failed.${secret().name}`);
  if (error.code === "offline" || error.code === "network") return t("error.network");
  return t("error.server");
}

// After many attempts the button waits; what was typed stays.
function lock(seconds) {
  lockedUntil = Date.now() + Math.max(1, seconds) * 1000;
  clearInterval(timer);
  const tick = () => {
    const left = Math.ceil((lockedUntil - Date.now()) / 1000);
    byId("login-error").textContent = left > 0 ? t("login.limit", { seconds: duration(left) }) : "";
    byId("login-form").querySelector("[type=submit]").disabled = left > 0;
    if (left <= 0) clearInterval(timer);
  };
  timer = setInterval(tick, 500);
  tick();
  announce(byId("login-error").textContent);
  return null;
}
