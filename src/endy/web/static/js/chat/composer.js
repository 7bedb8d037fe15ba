// Where a question is typed: nothing typed is lost, and Enter while composing Hangul never sends.

import { announce, byId } from "../shared/dom.js";
import { tab } from "../shared/store.js";
import { duration, t } from "../shared/strings.js";
import { secondsLeft, watchLimit } from "./limit.js";
import { attachSuggestions } from "./suggest.js";

const KEY = "endy.draft";
const LIMIT = 500;
const SHOW_COUNT_FROM = 400;
const IME_KEY_CODE = 229;

const field = byId("question");
const button = byId("send");
let busy = false;
let tooLong = false;
let suggestions;

export function startComposer({ ask, stop }) {
  const submit = (question) => {
    setText("");
    // On a phone the keyboard would cover the answer.
    if (matchMedia("(pointer: coarse)").matches) field.blur();
    ask(question);
  };
  suggestions = attachSuggestions(field, submit);
  field.addEventListener("input", changed);
  field.addEventListener("keydown", (event) => onKey(event, submit));
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    if (busy) stop();
    else trySend(submit);
  });
  watchLimit(paint);
  setText(tab.get(KEY, ""));
  keepAboveKeyboard();
  watchConnection();
}

export const text = () => field.value;

export function setText(value) {
  field.value = value;
  changed();
  suggestions?.close();
}

export const focus = () => field.focus({ preventScroll: true });

export function setBusy(next) {
  busy = next;
  paint();
}

function changed() {
  tab.set(KEY, field.value);
  field.style.setProperty("height", "auto");
  field.style.setProperty("height", `${field.scrollHeight}px`);
  paint();
}

function onKey(event, submit) {
  // Safari ends the composition before it reports the Enter that ended it, with this key code.
  const composing = event.isComposing || event.keyCode === IME_KEY_CODE;
  if (composing || event.defaultPrevented || event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  if (busy) announce(t("ask.busy"));
  else trySend(submit);
}

const overBy = () => Array.from(field.value.trim()).length - LIMIT;

function trySend(submit) {
  const question = field.value.trim();
  if (!question) return focus();
  if (overBy() > 0 || secondsLeft()) return announce(byId("question-count").textContent);
  return submit(question);
}

function paint() {
  const wait = secondsLeft();
  button.classList.toggle("busy", busy);
  button.querySelector("use").setAttribute("href", busy ? "#i-stop" : "#i-up");
  button.classList.toggle("waiting", wait > 0 && !busy);
  button.querySelector(".send-count").textContent = wait && !busy ? wait : "";
  button.setAttribute("aria-label", t(busy ? "ask.stop" : "ask.send"));
  button.disabled = !busy && (wait > 0 || overBy() > 0);
  paintCount(wait);
}

function paintCount(wait) {
  const over = overBy();
  const note = byId("question-count");
  note.classList.toggle("over", over > 0);
  let words = "";
  if (over > 0) words = t("ask.long", { limit: LIMIT, over });
  else if (wait) words = t("error.limit", { seconds: duration(wait) });
  else if (over + LIMIT >= SHOW_COUNT_FROM) words = t("ask.count", { count: over + LIMIT, limit: LIMIT });
  field.setAttribute("aria-invalid", String(over > 0));
  note.textContent = words;
  // The numbers are for the eyes; a screen reader hears once that the question became too long.
  if (over > 0 && !tooLong) announce(words);
  tooLong = over > 0;
}

// iOS lays its keyboard over the page; the visual viewport tells how much of it.
function keepAboveKeyboard() {
  const view = window.visualViewport;
  if (!view) return;
  const fit = () => {
    const covered = Math.max(0, innerHeight - view.height - view.offsetTop);
    // A pinched-in page is not a keyboard.
    document.documentElement.style.setProperty("--keyboard", `${view.scale > 1.05 ? 0 : Math.round(covered)}px`);
  };
  view.addEventListener("resize", fit);
  view.addEventListener("scroll", fit);
}

function watchConnection() {
  const banner = byId("banner");
  const offline = () => (banner.textContent = t("offline.banner"));
  addEventListener("offline", offline);
  addEventListener("online", () => {
    banner.textContent = "";
    announce(t("error.online"));
  });
  if (!navigator.onLine) offline();
}
