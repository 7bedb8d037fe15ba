// The source panel: beside the chat where there is room, a sheet over it on a phone.

import { call } from "../shared/api.js";
import { withLogin } from "../shared/account.js";
import { byId, el, icon, insertSanitised, openModal, safeLink, scrollBehaviour } from "../shared/dom.js";
import { day, t } from "../shared/strings.js";
import { highlight } from "./highlight.js";

const SKELETON_AFTER_MS = 300;
const wide = matchMedia("(min-width: 1100px)");
const dialog = byId("source");
const body = byId("source-body");
let opener = null;
let current = null;

export async function openSource(source, from) {
  opener = from;
  current = source;
  byId("source-title").textContent = source.title;
  body.replaceChildren();
  show();
  const skeleton = setTimeout(() => body.replaceChildren(loading()), SKELETON_AFTER_MS);
  const section = await load(source);
  clearTimeout(skeleton);
  // Another card may have been pressed meanwhile.
  if (current === source && dialog.open) fill(source, section);
}

function show() {
  document.body.classList.add("with-panel");
  if (!dialog.open && wide.matches) dialog.show();
  else openModal(dialog);
  byId("source-title").focus({ preventScroll: true });
}

async function load(source) {
  try {
    return await withLogin(() => call("GET", `/api/sections?id=${encodeURIComponent(source.id)}`));
  } catch {
    return null;
  }
}

function loading() {
  return el("div", { class: "skeleton", role: "status" }, el("span", { class: "sr-only", text: t("sources.loading") }),
    ...[90, 100, 75].map(() => el("i")));
}

function fill(source, section) {
  const text = el("div", { class: "prose" });
  if (section) insertSanitised(text, section.html);
  const marks = section ? highlight(text, source.passage) : [];
  const note = !section ? t("sources.failed") : marks.length ? "" : t("sources.notfound");
  body.replaceChildren(...[
    el("p", { class: "quiet", text: whereabouts({ ...source, ...section }) }),
    note && source.passage && passageBox(note, source.passage),
    text,
    owner(section),
    original(section?.link || source.link),
  ].filter(Boolean));
  body.scrollTop = 0;
  marks[0]?.scrollIntoView({ block: "center", behavior: scrollBehaviour() });
}

function passageBox(note, passage) {
  return el("div", { class: "passage" },
    el("p", { class: "quiet", text: note }),
    el("blockquote", { text: passage, "aria-label": t("sources.passage") }));
}

function owner(section) {
  if (!section?.department) return null;
  const contact = section.contact ? ` (${section.contact})` : "";
  return el("p", { class: "owner", text: `${t("answer.owner")} · ${section.department}${contact}` });
}

function original(address) {
  const href = safeLink(address);
  if (!href) return null;
  return el("p", {}, el("a", { href, target: "_blank", rel: "noopener noreferrer", class: "button" }, t("sources.open"), icon("next")));
}

export function whereabouts(source) {
  const path = (source.heading_path ?? []).filter((part) => part !== source.title);
  const place = source.id.startsWith("faq:") ? [t("sources.faq")] : path.length ? path : [source.document];
  return [place.join(" › "), source.updated_at && t("sources.updated", { date: day(source.updated_at) })]
    .filter(Boolean).join(" · ");
}

export function closeSource() {
  if (dialog.open) dialog.close();
}

dialog.addEventListener("close", () => {
  document.body.classList.remove("with-panel");
  current = null;
  if (opener?.isConnected) opener.focus({ preventScroll: true });
});

dialog.querySelector("[data-close]").addEventListener("click", closeSource);

// A dialog beside the page gets no Esc from the browser.
dialog.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || dialog.matches(":modal")) return;
  event.preventDefault();
  closeSource();
});
