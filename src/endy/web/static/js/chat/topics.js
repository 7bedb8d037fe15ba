// Category chips and starter questions: the first screen shows what can be asked.

import { user } from "../shared/account.js";
import { call } from "../shared/api.js";
import { byId, el } from "../shared/dom.js";
import { t } from "../shared/strings.js";
import { questionButton } from "./answer.js";
import { questionsIn } from "./suggest.js";

const PER_CATEGORY = 6;
const FIRST_SCREEN = 6;
const SKELETON_MS = 300;

let asked = () => {};
let cache = new Map();
let categories = [];
let chosen = "";

export function startTopics(ask) {
  asked = ask;
  byId("topics-close").addEventListener("click", () => choose(""));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chosen && !event.defaultPrevented && talking()) leave();
  });
  document.addEventListener("pointerdown", (event) => {
    if (chosen && talking() && !event.target.closest("#topics, #chips")) choose("");
  });
}

const talking = () => document.body.classList.contains("talking");

function leave() {
  const chip = byId("chips").querySelector("[aria-pressed=true]");
  choose("");
  chip?.focus();
}

export async function loadTopics() {
  cache = new Map();
  chosen = "";
  const needsLogin = document.body.dataset.anonymous === "false" && !user;
  byId("welcome-login").hidden = !needsLogin;
  byId("topics").hidden = needsLogin;
  if (needsLogin) return byId("chips").replaceChildren();
  const skeleton = setTimeout(showSkeleton, SKELETON_MS);
  try {
    const answer = await call("GET", "/api/categories");
    const list = Array.isArray(answer) ? answer : answer.categories;
    categories = list.map((item) => (typeof item === "string" ? item : item.name));
    byId("chips").replaceChildren(...categories.map(chip));
    await showPopular();
  } catch {
    showFailure();
  } finally {
    clearTimeout(skeleton);
  }
  return undefined;
}

function chip(name) {
  const press = () => choose(chosen === name ? "" : name);
  return el("li", {}, el("button", { type: "button", class: "chip", "aria-pressed": "false", text: name, on: { click: press } }));
}

export async function choose(name) {
  chosen = name;
  for (const button of byId("chips").querySelectorAll("button")) {
    const mine = button.textContent === name;
    button.setAttribute("aria-pressed", String(mine));
    if (mine) button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  byId("topics").classList.toggle("open", Boolean(name));
  byId("topics-close").hidden = !name;
  try {
    if (!name) return await showPopular();
    const questions = await questionsOf(name);
    if (chosen === name) show(t("topics.of", { category: name }), questions);
  } catch {
    showFailure();
  }
  return undefined;
}

async function showPopular() {
  const lists = await Promise.all(categories.map(questionsOf));
  const mixed = [];
  // One from each category in turn, so that every field is seen.
  for (let row = 0; row < PER_CATEGORY && mixed.length < FIRST_SCREEN; row += 1) {
    mixed.push(...lists.map((list) => list[row]).filter(Boolean));
  }
  if (!chosen) show(t("topics.popular"), mixed.slice(0, FIRST_SCREEN), true);
}

async function questionsOf(category) {
  if (!cache.has(category)) {
    const path = `/api/category/${encodeURIComponent(category)}/questions?limit=${PER_CATEGORY}`;
    const answer = await call("GET", path);
    cache.set(category, questionsIn(answer).map((item) => ({ ...item, category })));
  }
  return cache.get(category);
}

function show(title, questions, tagged = false) {
  byId("topics-title").textContent = title;
  const items = questions.map(({ question, category }) => {
    const press = () => {
      if (chosen) choose("");
      asked(question, { category });
    };
    return el("li", {}, questionButton(question, press, tagged ? category : ""));
  });
  byId("topics-list").replaceChildren(...(items.length ? items : [el("li", { class: "quiet", text: t("topics.none") })]));
}

function showFailure() {
  const again = el("button", { type: "button", class: "button", text: t("retry"), on: { click: () => loadTopics() } });
  byId("topics-list").replaceChildren(el("li", { class: "quiet" }, el("p", { text: t("topics.failed") }), again));
}

function showSkeleton() {
  byId("topics-list").replaceChildren(el("li", { class: "skeleton tall" }, ...Array.from({ length: 5 }, () => el("i"))));
}
