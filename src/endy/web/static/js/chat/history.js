// Questions asked on this device, each person's apart; only their words are kept, never answers.

import { user } from "../shared/account.js";
import { byId, el, openModal, toast } from "../shared/dom.js";
import { device } from "../shared/store.js";
import { t } from "../shared/strings.js";
import { questionButton } from "./answer.js";

const MOST = 50;
const key = () => `endy.history.${user?.employee_id ?? "anonymous"}`;
const dialog = byId("history");

export function add(question) {
  const others = device.get(key(), []).filter((kept) => kept !== question);
  device.set(key(), [question, ...others].slice(0, MOST));
}

export function openHistory(ask) {
  fill(ask);
  openModal(dialog);
  byId("history-title").focus();
}

function fill(ask) {
  const questions = device.get(key(), []);
  const press = (question) => {
    dialog.close();
    ask(question);
  };
  byId("history-note").textContent = t(questions.length ? "history.note" : "history.empty");
  byId("history-clear").hidden = !questions.length;
  byId("history-list").replaceChildren(
    ...questions.map((question) => el("li", {}, questionButton(question, () => press(question)))));
}

byId("history-clear").addEventListener("click", () => {
  device.remove(key());
  dialog.close();
  toast(t("history.cleared"));
});
