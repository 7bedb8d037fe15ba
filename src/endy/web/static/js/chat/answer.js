// A finished answer, in its three shapes: answered, asking back, or knowing whom to ask.

import { el, icon, insertSanitised, safeLink } from "../shared/dom.js";
import { ro, t } from "../shared/strings.js";
import { feedback } from "./feedback.js";
import { answerText, copyButton, copyTextButton, shareButton } from "./share.js";
import { linkCitations, sourceCards } from "./sources.js";

// `ask(question)` is for links that ask on; `remembered()` stores a changed answer.
export function renderAnswer(answer, question, actions) {
  const body = el("div", { class: "prose" });
  if (answer.answer_html) insertSanitised(body, answer.answer_html);
  else body.append(el("p", { class: "as-typed", text: answer.answer }));
  linkCitations(body, answer.sources);
  const shapes = { no_answer: noAnswer, clarify };
  const parts = (shapes[answer.status] ?? answered)(answer, question, body, actions);
  return { parts: parts.filter(Boolean), spoken: spoken(answer, body) };
}

function spoken(answer, body) {
  const choices = (answer.choices ?? []).map((choice) => choice.title).join(", ");
  const copyOfBody = body.cloneNode(true);
  copyOfBody.querySelectorAll(".cite").forEach((cite) => cite.remove());
  return `${t("answer.of")}. ${copyOfBody.textContent.trim().replace(/\s+/g, " ")} ${choices}`.trim();
}

function answered(answer, question, body, actions) {
  return [
    understood(answer, question),
    answer.notice && el("p", { class: "aside" }, icon("alert"), el("span", { text: answer.notice })),
    body,
    owner(answer),
    sourceCards(answer.sources, t("sources")),
    ...tools(answer, question, body, actions),
    questionLinks(t("answer.related"), answer.related_questions, actions),
  ];
}

function clarify(answer, question, body, actions) {
  const choices = (answer.choices ?? []).map((choice) => el("li", {}, choiceButton(choice, actions)));
  return [
    understood(answer, question),
    body,
    el("ul", { class: "choices", "aria-label": t("clarify.label") }, ...choices),
    small(answer),
  ];
}

function choiceButton(choice, actions) {
  const detail = choice.question !== choice.title && el("span", { class: "quiet", text: choice.question });
  return el("button", { type: "button", class: "choice", on: { click: () => actions.ask(choice.question) } },
    el("span", {}, el("span", { class: "choice-title", text: choice.title }), detail), icon("next"));
}

function noAnswer(answer, question, body, actions) {
  return [
    el("div", { class: "none" },
      el("p", { class: "none-title" }, icon("search"), t("none.title")),
      el("p", { class: "quiet", text: `${t("none.understood")}: “${answer.understood || question}”` }),
      body,
      whomToAsk(answer, question)),
    questionLinks(t("none.topics"), answer.related_questions, actions),
    sourceCards(answer.sources, t("sources.near")),
    ...tools(answer, question, body, actions),
  ];
}

function whomToAsk(answer, question) {
  if (!answer.department) return null;
  return el("div", { class: "whom" },
    el("p", { class: "quiet", text: t("none.whom") }),
    el("p", { class: "whom-name" }, el("strong", { text: answer.department }), " ", contact(answer.contact)),
    el("div", { class: "row" }, pageLink(answer.link), copyTextButton(t("none.copy"), () => question)));
}

export function understood(answer, question) {
  const text = answer.understood;
  if (!text || text.trim() === question.trim()) return null;
  return el("p", { class: "understood", text: t("answer.understood", { text, ro: ro(text) }) });
}

function owner(answer) {
  if (!answer.department && !answer.link) return null;
  const who = answer.department && el("span", {}, `${t("answer.owner")} · ${answer.department}`,
    answer.contact && " (", answer.contact && contact(answer.contact), answer.contact && ")");
  return el("p", { class: "owner" }, who, pageLink(answer.link));
}

// A mail address or an outside number can be pressed; an extension cannot be dialled from a phone.
function contact(text) {
  if (!text) return null;
  const mail = /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text) && `mailto:${text}`;
  const phone = /^0\d{1,2}[-\s]?\d{3,4}[-\s]?\d{4}$/.test(text) && `tel:${text.replace(/\D/g, "")}`;
  return mail || phone ? el("a", { href: mail || phone, text }) : el("span", { text });
}

function pageLink(address) {
  const href = safeLink(address);
  return href && el("a", { class: "go", href, target: "_blank", rel: "noopener noreferrer" }, t("answer.link"), icon("next"));
}

function tools(answer, question, body, actions) {
  const { buttons, more } = feedback(answer, actions.remembered);
  const row = el("div", { class: "tools", role: "group", "aria-label": t("tools.label") },
    ...buttons, copyButton(t("tools.copy"), () => answerText(body, answer)), shareButton(question), small(answer));
  return [row, more];
}

function small(answer) {
  const seconds = Number(answer.response_time ?? 0);
  const time = t("answer.time", { seconds: seconds < 0.1 ? seconds.toFixed(2) : seconds.toFixed(1) });
  const mode = answer.status === "answered" ? ` · ${t(`mode.${answer.mode}`)}` : "";
  return el("span", { class: "small", text: `${time}${mode}` });
}

function questionLinks(title, questions, actions) {
  if (!questions?.length) return null;
  const links = questions.map((question) => el("li", {}, questionButton(question, () => actions.ask(question))));
  return el("section", { class: "related" }, el("h3", { class: "label", text: title }), el("ul", { class: "questions" }, ...links));
}

export function questionButton(question, pressed, label = "") {
  return el("button", { type: "button", class: "question-link", on: { click: pressed } },
    el("span", { text: question }), label && el("span", { class: "tag", text: label }));
}
