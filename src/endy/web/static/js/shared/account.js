// Who is signed in, and the dialog that signs someone in without losing what they were doing.

import { ApiError, call } from "./api.js";
import { announce, byId, openModal, toast } from "./dom.js";
import { duration, t } from "./strings.js";

export let user = null;

const secretName = () => byId("login-secret").name;
let waiting = null;

// Listeners hear `endy:user` whenever the person changes.
function become(next) {
  user = next;
  document.dispatchEvent(new CustomEvent("endy:user", { detail: next }));
}

export async function recogniseVisitor() {
  if (document.body.dataset.session !== "true") return become(null);
  try {
    const answer = await call("GET", "/api/me");
    return become(answer.user ?? answer);
  } catch {
    return become(null);
  }
}

// Runs `action`; when a session is missing, asks to sign in and runs it once more.
export async function withLogin(action) {
  try {
    return await action();
  } catch (error) {
    if (error.status !== 401) throw error;
    const expired = user !== null;
    if (expired) become(null);
    if (!(await signIn(t(expired ? "login.expired" : "login.why")))) throw error;
    return action();
  }
}

// Resolves to whether somebody signed in. Two callers share one dialog.
export function signIn(why = "") {
  waiting ??= ask(why).finally(() => (waiting = null));
  return waiting;
}

function ask(why) {
  const dialog = byId("login");
  byId("login-why").textContent = why;
  byId("login-why").hidden = !why;
  byId("login-error").textContent = "";
  openModal(dialog);
  byId("login-number").focus();
  return new Promise((resolve) => {
    let success = false;
    const submitted = async (event) => {
      event.preventDefault();
      success = await submit();
      if (success) dialog.close();
    };
    byId("login-form").addEventListener("submit", submitted);
    dialog.addEventListener("close", () => {
      byId("login-form").removeEventListener("submit", submitted);
      byId("login-secret").value = "";
      resolve(success);
    }, { once: true });
  });
}

async function submit() {
  const number = byId("login-number").value.trim();
  const secret = byId("login-secret").value;
  if (!number || !secret.trim()) return complain(t("login.missing"), number ? "login-secret" : "login-number");
  const button = byId("login-form").querySelector("[type=submit]");
  button.disabled = true;
  try {
    const answer = await call("POST", "/api/login", { body: { employee_id: number, [secretName()]: secret } });
    if (!answer.success) throw new ApiError({ code: "authentication_failed", status: 401 });
    become(answer.user);
    announce(t("login.hello", { name: answer.user.name }));
    return true;
  } catch (error) {
    return complain(reason(error), "login-secret");
  } finally {
    button.disabled = false;
  }
}

function complain(text, field) {
  byId("login-error").textContent = text;
  byId(field).focus();
  return false;
}

function reason(error) {
  if (error.status === 401 || error.status === 422) return t(`login.failed.${secretName()}`);
  if (error.status === 429) return t("error.limit", { seconds: duration(error.retryAfter) });
  if (error.code === "offline" || error.code === "network") return t("error.network");
  return t("error.server");
}

export async function signOut() {
  try {
    await call("POST", "/api/logout");
  } catch (error) {
    if (error.status !== 401) return toast(t("account.outfailed"));
  }
  document.dispatchEvent(new CustomEvent("endy:leave"));
  become(null);
  return toast(t("account.out"));
}
