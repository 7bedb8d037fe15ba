// Numbered source cards, and the [1] in an answer that lead to them.

import { el } from "../shared/dom.js";
import { t } from "../shared/strings.js";
import { openSource, whereabouts } from "./panel.js";

const CITATION = /\[(\d{1,2})\]/;

export function sourceCards(sources, title) {
  if (!sources?.length) return null;
  return el("section", { class: "sources" },
    el("h3", { class: "label", text: title }),
    el("ol", {}, ...sources.map((source) => el("li", {}, card(source)))));
}

function card(source) {
  return el("button", { type: "button", class: "card", on: { click: (event) => openSource(source, event.currentTarget) } },
    el("span", { class: "number", text: source.number, "aria-hidden": "true" }),
    el("span", { class: "sr-only", text: t("sources.number", { number: source.number }) }),
    el("span", { class: "card-title", text: source.title }),
    el("span", { class: "card-where", text: whereabouts(source) }));
}

export function linkCitations(root, sources) {
  const known = new Map((sources ?? []).map((source) => [String(source.number), source]));
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) if (CITATION.test(walker.currentNode.data)) nodes.push(walker.currentNode);
  for (const node of nodes) {
    if (node.parentElement.closest("code, pre, a")) continue;
    // A capturing split alternates text and number.
    node.replaceWith(...withCitations(node.data, known));
  }
}

const CITED = /(\S{0,12}\s?(?:\[\d{1,2}\]\s?)+[.,!?)]?)/;

// A citation stays on the line of the word before it and of the full stop after it.
function withCitations(text, known) {
  return text.split(CITED).map((chunk, at) => {
    // A capturing split alternates between what is outside and what was captured.
    if (at % 2 === 0) return chunk;
    return el("span", { class: "nowrap" },
      ...chunk.split(CITATION).map((part, position) => (position % 2 ? citation(part, known.get(part)) : part)));
  });
}

function citation(number, source) {
  if (!source) return `[${number}]`;
  return el("button", {
    type: "button", class: "cite", text: number,
    "aria-label": `${t("sources.number", { number })}: ${source.title}`,
    on: { click: (event) => openSource(source, event.currentTarget) },
  });
}
