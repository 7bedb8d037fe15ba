// Building page parts without HTML text; the server's sanitised HTML enters through `insertSanitised` alone.

import { t } from "./strings.js";

const SVG = "http://www.w3.org/2000/svg";

// `properties` are attributes, except `text` (its text) and `on` (its event listeners); false and null leave one out.
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "text") node.textContent = value;
    else if (name === "on") Object.entries(value).forEach(([event, listener]) => node.addEventListener(event, listener));
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export const byId = (id) => document.getElementById(id);

// The browser takes HTML from this policy alone, and it is used in one place.
const policy = globalThis.trustedTypes?.createPolicy("sanitised", { createHTML: (html) => html });

export function insertSanitised(target, html) {
  target.innerHTML = policy ? policy.createHTML(html) : html;
  target.querySelectorAll("h1, h2").forEach(demote);
  target.querySelectorAll("table").forEach(makeScrollable);
  target.querySelectorAll("a[href]").forEach((link) => {
    if (link.getAttribute("href").startsWith("#")) return;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  });
}

// The page and the question already are the first two levels.
function demote(heading) {
  heading.replaceWith(el("h3", {}, ...heading.childNodes));
}

export function makeScrollable(table) {
  const box = el("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": t("answer.table") });
  table.replaceWith(box);
  box.append(table);
}

// Only web pages, mail and this site: a link from content never runs a script.
export function safeLink(address) {
  if (!address) return null;
  try {
    const url = new URL(address, location.origin);
    return ["http:", "https:", "mailto:", "tel:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

// A screen reader says `text` once; the same text twice is said twice.
export function announce(text) {
  const region = byId("announcer");
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}

let toastTimer;

export function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.hidden = false;
  announce(text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (box.hidden = true), 3000);
}

export function scrollBehaviour() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
}

// Opens a dialog for the whole page; a press outside or on a `data-close` button closes it, as Esc does.
export function openModal(dialog) {
  if (!dialog.dataset.wired) {
    dialog.dataset.wired = "yes";
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
    });
  }
  if (!dialog.open) dialog.showModal();
}
