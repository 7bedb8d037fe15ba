// Who is signed in: recognised at the start, asked for when a session is missing, and signed out.

import { call } from "./api.js";
import { toast } from "./dom.js";
import { openLogin } from "./login.js";
import { t } from "./strings.js";

export let user = null;

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
  waiting ??= openLogin(why)
    .then((person) => {
      if (person) become(person);
      return Boolean(person);
    })
    .finally(() => (waiting = null));
  return waiting;
}

export async function signOut() {
  try {
    await call("POST", "/api/logout");
  } catch (error) {
    if (error.status !== 401) return toast(t("account.outfailed"));
  }
  return leave(t("account.out"));
}

// The session is over: what this person saw leaves the screen.
export function leave(words) {
  document.dispatchEvent(new CustomEvent("endy:leave"));
  become(null);
  return toast(words);
}
