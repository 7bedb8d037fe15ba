// Similar questions while typing: the combobox pattern, with the list above the field.

import { call } from "../shared/api.js";
import { announce, byId, el } from "../shared/dom.js";
import { t } from "../shared/strings.js";

const PAUSE_MS = 120;
const MOST = 5;
const SHORTEST = 2;
const IME_KEY_CODE = 229;

export function attachSuggestions(field, choose) {
  const list = byId("suggestions");
  let active = -1;
  let request;
  let timer;

  const options = () => [...list.children];

  function close() {
    clearTimeout(timer);
    request?.abort();
    list.hidden = true;
    list.replaceChildren();
    field.setAttribute("aria-expanded", "false");
    highlight(-1);
  }

  function highlight(index) {
    active = index;
    options().forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    if (index < 0) return field.removeAttribute("aria-activedescendant");
    options()[index].scrollIntoView({ block: "nearest" });
    return field.setAttribute("aria-activedescendant", options()[index].id);
  }

  function show(items) {
    if (!items.length) return close();
    list.replaceChildren(...items.map((item, at) => option(item, at)));
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    highlight(-1);
    return announce(t("suggest.count", { count: items.length }));
  }

  async function look() {
    const query = field.value.trim();
    request?.abort();
    request = new AbortController();
    try {
      const path = `/api/questions?q=${encodeURIComponent(query)}&limit=${MOST}`;
      const found = questionsIn(await call("GET", path, { signal: request.signal }));
      if (field.value.trim() === query && document.activeElement === field) show(found.slice(0, MOST));
    } catch {
      // Suggestions only help; without them the question can still be asked.
      close();
    }
  }

  function typed() {
    clearTimeout(timer);
    const query = field.value.trim();
    if (query.length < SHORTEST || query.includes("\n")) return close();
    timer = setTimeout(look, PAUSE_MS);
    return undefined;
  }

  function onKey(event) {
    if (list.hidden || event.isComposing || event.keyCode === IME_KEY_CODE) return;
    const count = options().length;
    const actions = {
      ArrowDown: () => highlight(active + 1 >= count ? -1 : active + 1),
      ArrowUp: () => highlight(active < 0 ? count - 1 : active - 1),
      Escape: close,
      Enter: () => pick(active),
    };
    if (event.key === "Tab") return close();
    if (!(event.key in actions) || (event.key === "Enter" && (active < 0 || event.shiftKey))) return;
    event.preventDefault();
    actions[event.key]();
  }

  function pick(index) {
    const question = options()[index].dataset.question;
    close();
    choose(question);
  }

  field.addEventListener("input", typed);
  field.addEventListener("keydown", onKey);
  field.addEventListener("blur", close);
  // Pressing an option must not take the focus, or the list would close before the press counts.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) pick(options().indexOf(option));
  });
  return { close };
}

function option({ question, category }, at) {
  return el("li", { role: "option", id: `suggestion-${at}`, "aria-selected": "false", "data-question": question },
    el("span", { text: question }), category && el("span", { class: "tag", text: category }));
}

// A list of texts or of objects, bare or wrapped.
export function questionsIn(answer) {
  const list = Array.isArray(answer) ? answer : answer?.questions ?? answer?.suggestions ?? [];
  return list.map((item) => (typeof item === "string" ? { question: item, category: "" } : item));
}
