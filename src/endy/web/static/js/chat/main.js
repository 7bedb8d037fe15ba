// Puts the chat page together.

import { recogniseVisitor, signIn, signOut } from "../shared/account.js";
import { byId } from "../shared/dom.js";
import { tab } from "../shared/store.js";
import { t } from "../shared/strings.js";
import { openAccount } from "./account_panel.js";
import * as composer from "./composer.js";
import { ask, belongsTo, restore, startAnew, stop } from "./conversation.js";
import * as history from "./history.js";
import { startPreferences } from "./preferences.js";
import { choose, loadTopics, startTopics } from "./topics.js";

const REFUSALS = new Set(["cancelled", "expired", "provider_unavailable", "not_allowed", "failed"]);

const DO = {
  new: () => {
    startAnew();
    choose("");
    composer.focus();
  },
  history: () => history.openHistory(ask),
  login: () => signIn(),
  account: () => openAccount(),
  logout: () => signOut(),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  if (button.closest("#menu")) byId("menu").hidePopover();
  DO[button.dataset.do]();
});

document.addEventListener("endy:user", ({ detail: person }) => {
  showPerson(person);
  belongsTo(person);
  loadTopics();
});

document.addEventListener("endy:leave", () => {
  startAnew();
  composer.setText("");
});

function showPerson(person) {
  const label = person ? [person.name, person.department].filter(Boolean).join(" · ") : "";
  byId("who").textContent = person?.name ?? "";
  byId("who").hidden = !person;
  byId("menu-who").textContent = label || t("account.none");
  byId("menu").querySelector("[data-do=login]").hidden = Boolean(person);
  for (const name of ["account", "logout"]) byId("menu").querySelector(`[data-do=${name}]`).hidden = !person;
  byId("menu-admin").hidden = person?.role !== "admin";
}

// A shared link brings a question along; it waits in the field until its reader sends it.
function takeSharedQuestion() {
  const shared = new URLSearchParams(location.search).get("q")?.trim();
  if (!shared) return;
  const draft = composer.text().trim();
  if (draft && draft !== shared) history.add(draft);
  composer.setText(shared);
  window.history.replaceState(null, "", location.pathname);
}

// The company's account did not lead in: say why, and offer the ways that there are.
function explainRefusal() {
  const reason = new URLSearchParams(location.search).get("sso_error");
  if (!reason) return;
  window.history.replaceState(null, "", location.pathname);
  signIn(t(REFUSALS.has(reason) ? `sso.${reason}` : "sso.failed"));
}

startPreferences();
startTopics(ask);
composer.startComposer({ ask, stop });
restore();
takeSharedQuestion();
recogniseVisitor().then(explainRefusal);
if (matchMedia("(pointer: fine)").matches && !tab.get("endy.thread")) composer.focus();
