// 👍 and 👎, and for 👎 what was wrong.

import { withLogin } from "../shared/account.js";
import { call } from "../shared/api.js";
import { announce, el, icon, toast } from "../shared/dom.js";
import { tab } from "../shared/store.js";
import { t } from "../shared/strings.js";

const REASONS = ["wrong", "outdated", "incomplete", "hard_to_read", "not_my_question", "other"];
const COMMENT_LIMIT = 1000;

// `answer.vote` remembers the choice, so that a reloaded page shows it.
export function feedback(answer, remembered) {
  const more = el("div", { class: "feedback" });
  const good = voteButton("good", t("tools.helpful"), () => vote(true));
  const bad = voteButton("bad", t("tools.unhelpful"), () => vote(false));
  const paint = () => {
    good.setAttribute("aria-pressed", String(answer.vote === true));
    bad.setAttribute("aria-pressed", String(answer.vote === false));
  };

  async function vote(helpful) {
    const before = answer.vote;
    answer.vote = helpful;
    paint();
    more.replaceChildren(helpful ? "" : form(answer, more));
    try {
      await post("/api/feedback", { question_id: answer.question_id, is_helpful: helpful });
      remembered();
      announce(t("feedback.thanks"));
      if (helpful) more.replaceChildren(thanks(t("feedback.thanks")));
    } catch {
      answer.vote = before;
      paint();
      toast(t("feedback.failed"));
    }
  }

  paint();
  return { buttons: [good, bad], more };
}

function voteButton(name, label, pressed) {
  return el("button", { type: "button", class: "icon-button", "aria-label": label, title: label, on: { click: pressed } }, icon(name));
}

const post = (path, body) => withLogin(() => call("POST", path, { body }));
const thanks = (text) => el("p", { class: "thanks" }, icon("check"), text);

function form(answer, place) {
  const draft = `endy.comment.${answer.question_id}`;
  const id = `comment-${answer.question_id}`;
  const comment = el("textarea", { id, class: "input", rows: "2", maxlength: COMMENT_LIMIT });
  comment.value = tab.get(draft, "");
  comment.addEventListener("input", () => tab.set(draft, comment.value));
  const problem = el("p", { class: "field-error", role: "alert" });

  const submit = async (event) => {
    event.preventDefault();
    const reasons = [...event.target.querySelectorAll(":checked")].map((box) => box.value);
    const words = comment.value.trim();
    if (!reasons.length && !words) return void (problem.textContent = t("feedback.empty"));
    problem.textContent = "";
    try {
      await post("/api/feedback/detailed", { question_id: answer.question_id, reasons, ...(words && { comment: words }) });
    } catch {
      return void (problem.textContent = t("feedback.failed"));
    }
    tab.remove(draft);
    place.replaceChildren(thanks(t("feedback.saved")));
    return announce(t("feedback.saved"));
  };

  return el("form", { class: "feedback-form", on: { submit } },
    el("fieldset", { class: "reasons" }, el("legend", { text: t("feedback.ask") }), ...REASONS.map(reason)),
    el("label", { for: id, text: t("feedback.comment") }), comment, problem,
    el("button", { type: "submit", class: "button", text: t("feedback.send") }));
}

function reason(code) {
  return el("label", { class: "reason" }, el("input", { type: "checkbox", value: code }), el("span", { text: t(`feedback.${code}`) }));
}
