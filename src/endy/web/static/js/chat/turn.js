// One question with whatever stands under it: waiting, an answer being written, the answer, or what went wrong.

import { announce, byId, el, icon } from "../shared/dom.js";
import { duration, language, t } from "../shared/strings.js";
import { renderAnswer, understood } from "./answer.js";
import { startLimit, unwatchLimit, watchLimit } from "./limit.js";
import { preview } from "./markdown.js";
import { linkCitations } from "./sources.js";

const SKELETON_MS = 300;
const SLOW_MS = 3000;
const LONG_MS = 10_000;

let counter = 0;

export class TurnView {
  constructor(question) {
    const id = `turn-${++counter}`;
    this.question = question;
    this.heading = el("h2", { class: "question", id, tabindex: "-1", text: question });
    this.answer = el("div", { class: "answer" });
    this.node = el("li", { class: "turn", "aria-labelledby": id }, this.heading, this.answer);
    this.timers = [];
  }

  wait() {
    this.#clear();
    this.text = "";
    this.sources = [];
    this.framed = false;
    this.answer.setAttribute("aria-busy", "true");
    this.status = el("p", { class: "progress" });
    this.draft = el("div", { class: "prose draft" });
    this.answer.replaceChildren(this.draft, this.status);
    this.#after(SKELETON_MS, () => this.text || this.draft.replaceChildren(skeleton()));
    this.#after(SLOW_MS, () => this.#say(this.sources.length ? this.#writing() : t("answer.searching")));
    this.#after(LONG_MS, () => this.#say(t("answer.long")));
  }

  found(meta) {
    this.sources = meta.sources ?? [];
    // These shapes frame their text, so that text shown before the frame would jump.
    this.framed = meta.status === "no_answer" || meta.status === "clarify";
    const line = this.framed ? null : understood(meta, this.question);
    if (line) this.answer.prepend(line);
    if (this.status.textContent && this.sources.length) this.#say(this.#writing());
  }

  append(text) {
    if (this.framed) return;
    this.text += text;
    this.status.textContent = "";
    this.#stopTimers();
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      const shown = preview(this.text);
      linkCitations(shown, this.sources);
      this.draft.replaceChildren(shown);
    });
  }

  #writing() {
    return t("answer.writing", { count: this.sources.length });
  }

  finish(answer, actions, { quietly = false } = {}) {
    this.#clear();
    const { parts, spoken } = renderAnswer(answer, this.question, actions);
    this.answer.replaceChildren(...parts);
    if (!quietly) announce(spoken);
  }

  stopped(retry) {
    this.#clear();
    this.#keepDraft();
    this.answer.append(notice("", t("answer.stopped"), button(t("retry"), retry)));
  }

  fail(error, retry) {
    this.#clear();
    this.#keepDraft();
    const box = error.status === 429 ? this.#limitNotice(error, retry) : problemNotice(error, retry);
    this.answer.append(box);
    announce(box.querySelector("p").textContent);
  }

  // What has arrived before a break stays readable.
  #keepDraft() {
    this.answer.replaceChildren(...(this.text ? [el("div", { class: "prose draft cut" }, preview(this.text))] : []));
  }

  #limitNotice(error, retry) {
    startLimit(error.retryAfter || 60);
    const again = button(t("retry"), retry);
    const line = el("p");
    let told = false;
    this.limit = (left) => {
      line.textContent = left ? t("error.limit", { seconds: duration(left) }) : t("error.limit.over");
      again.disabled = left > 0;
      if (left === 0 && !told) announce(line.textContent);
      told = left === 0;
    };
    watchLimit(this.limit);
    return notice("history", line, again);
  }

  #say(text) {
    this.status.textContent = text;
    announce(text);
  }

  #after(milliseconds, action) {
    this.timers.push(setTimeout(action, milliseconds));
  }

  #stopTimers() {
    this.timers.forEach(clearTimeout);
    this.timers = [];
  }

  #clear() {
    this.#stopTimers();
    if (this.frame) cancelAnimationFrame(this.frame);
    this.frame = null;
    if (this.limit) unwatchLimit(this.limit);
    this.answer.removeAttribute("aria-busy");
  }
}

function skeleton() {
  return el("div", { class: "skeleton" }, el("span", { class: "sr-only", text: t("answer.wait") }),
    ...Array.from({ length: 3 }, () => el("i")));
}

const button = (text, pressed) => el("button", { type: "button", class: "button", text, on: { click: pressed } });

function notice(name, content, ...actions) {
  const line = typeof content === "string" ? el("p", { text: content }) : content;
  return el("div", { class: `notice ${name}` }, name && icon(name), el("div", {}, line, ...actions));
}

const OWN_WORDS = {
  offline: "error.offline",
  network: "error.network",
  cut: "error.cut",
  authentication_required: "error.login",
  authentication_failed: "error.login",
};

function problemNotice(error, retry) {
  const offline = error.code === "offline" || error.code === "network";
  const id = error.requestId && !offline && error.status !== 401;
  const label = t(error.status === 401 ? "error.login.button" : "retry");
  return notice(offline ? "offline" : "alert", el("p", { text: wording(error) }),
    id && el("p", { class: "small", text: t("error.id", { id: error.requestId }) }), button(label, retry));
}

// The server's sentences are Korean and say what to do; a fault inside the page has none.
function wording(error) {
  if (error.code in OWN_WORDS) return t(OWN_WORDS[error.code]);
  return (language === "ko" && error.said) || t("error.server");
}

export function bringToTop(view, { instantly = false } = {}) {
  view.node.scrollIntoView({ block: "start", behavior: "instant" });
  if (!instantly && document.activeElement !== byId("question")) view.heading.focus({ preventScroll: true });
}
