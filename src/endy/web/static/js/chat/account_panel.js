// My account: who I am, my password, and where I am signed in.

import { leave, user, withLogin } from "../shared/account.js";
import { call } from "../shared/api.js";
import { announce, byId, el, openModal, toast } from "../shared/dom.js";
import { startReveal } from "../shared/reveal.js";
import { duration, language, t } from "../shared/strings.js";

const STEPS = [["day", 86_400], ["hour", 3600], ["minute", 60]];

export function openAccount() {
  const dialog = byId("account");
  if (!dialog.dataset.ready) start(dialog);
  const facts = [["login.number", user.employee_id], ["account.department", user.department], ["account.role", t(`role.${user.role}`)]];
  if (user.owns?.length) facts.push(["account.owns", user.owns.join(", ")]);
  byId("account-name").textContent = user.name;
  byId("account-facts").replaceChildren(...facts.filter(([, value]) => value).map(([label, value]) =>
    el("div", {}, el("dt", { text: t(label) }), el("dd", { text: value }))));
  askEverywhere(false);
  openModal(dialog);
  byId("account-title").focus();
  showSessions();
}

function start(dialog) {
  dialog.dataset.ready = "yes";
  byId("account-everywhere").addEventListener("click", () => askEverywhere(true));
  byId("account-everywhere-no").addEventListener("click", () => askEverywhere(false));
  byId("account-everywhere-yes").addEventListener("click", leaveEverywhere);
  const form = byId("password-form");
  if (!form) return;
  form.addEventListener("submit", changePassword);
  for (const name of ["current", "new"]) startReveal(byId(`password-${name}`), byId(`password-${name}-reveal`));
}

async function showSessions() {
  const list = byId("account-sessions");
  list.setAttribute("aria-busy", "true");
  try {
    const { sessions } = await withLogin(() => call("GET", "/api/sessions"));
    list.replaceChildren(...sessions.map(sessionItem));
  } catch {
    list.replaceChildren(el("li", { class: "field-error", text: t("account.sessions.failed") }));
  }
  list.removeAttribute("aria-busy");
}

function sessionItem(session) {
  const name = session.device || t("account.device.unknown");
  const details = [session.current ? t("account.device.this") : ago(session.last_seen_at), session.address].filter(Boolean);
  const item = el("li", { class: "session" },
    el("div", {}, el("p", { text: name }), el("p", { class: "small", text: details.join(" · ") })));
  if (!session.current) {
    const end = () => endSession(session, item);
    item.append(el("button", { type: "button", class: "button", text: t("account.end"), "aria-label": t("account.end.of", { name }), on: { click: end } }));
  }
  return item;
}

async function endSession(session, item) {
  try {
    await call("DELETE", `/api/sessions/${session.id}`);
  } catch (error) {
    if (error.status !== 404) return toast(t("account.outfailed"));
  }
  item.remove();
  byId("account-title").focus();
  return announce(t("account.ended"));
}

function askEverywhere(asking) {
  byId("account-everywhere").hidden = asking;
  byId("account-confirm").hidden = !asking;
  if (asking) byId("account-everywhere-yes").focus();
}

async function leaveEverywhere() {
  try {
    await call("DELETE", "/api/sessions");
  } catch (error) {
    if (error.status !== 401) return toast(t("account.outfailed"));
  }
  byId("account").close();
  return leave(t("account.out.everywhere"));
}

async function changePassword(event) {
  event.preventDefault();
  const [current, fresh] = [byId("password-current"), byId("password-new")];
  const say = (words, field) => {
    byId("password-error").textContent = words;
    field?.focus();
  };
  if (!current.value || !fresh.value) return say(t("login.missing"), current.value ? fresh : current);
  try {
    await call("POST", "/api/password", { body: { current_password: current.value, new_password: fresh.value } });
  } catch (error) {
    if (error.status === 422) return say(error.said, fresh);
    if (error.status === 429) return say(t("login.limit", { seconds: duration(error.retryAfter) }));
    return say(error.status === 401 ? t("password.wrong") : t("error.server"), current);
  }
  current.value = fresh.value = "";
  say("");
  byId("password-box").open = false;
  showSessions();
  return toast(t("password.changed"));
}

function ago(moment) {
  // The server's moments are UTC, with or without saying so.
  const seconds = (Date.now() - new Date(/Z|[+-]\d\d:\d\d$/.test(moment) ? moment : `${moment}Z`)) / 1000;
  const step = STEPS.find(([, length]) => seconds >= length);
  if (!step) return t("account.now");
  return new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(-Math.floor(seconds / step[1]), step[0]);
}
