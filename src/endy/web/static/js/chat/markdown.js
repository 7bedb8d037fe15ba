// Shows Markdown while it is still being written, close enough to the server's HTML that the swap is not seen.

import { el, makeScrollable } from "../shared/dom.js";

const INLINE = /(\*\*[^*]+\*\*|`[^`]+`|\[[^\]]+\]\([^)\s]*\))/;
const ITEM = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const ROW = /^\s*\|(.*)\|?\s*$/;
const RULE = /^[\s|:-]+$/;

export function preview(text) {
  const fragment = document.createDocumentFragment();
  for (const block of text.split(/\n{2,}/)) fragment.append(...blocks(block.split("\n")));
  return fragment;
}

function blocks(lines) {
  const nodes = [];
  let rest = lines.filter((line) => line.trim());
  while (rest.length) {
    const kind = kindOf(rest[0]);
    let length = rest.findIndex((line) => kindOf(line) !== kind);
    if (length < 0) length = rest.length;
    if (kind === "heading") length = 1;
    nodes.push(BUILD[kind](rest.slice(0, length)));
    rest = rest.slice(length);
  }
  return nodes;
}

function kindOf(line) {
  if (/^#{1,6}\s/.test(line)) return "heading";
  if (ROW.test(line)) return "table";
  const item = line.match(ITEM);
  if (item) return item[1] ? "ordered" : "bullets";
  return line.startsWith(">") ? "quote" : "paragraph";
}

const BUILD = {
  heading: (lines) => el("h3", {}, ...inline(lines[0].replace(/^#+\s+/, ""))),
  paragraph: (lines) => el("p", {}, ...inline(lines.join("\n"))),
  quote: (lines) => el("blockquote", {}, el("p", {}, ...inline(lines.map((line) => line.replace(/^>\s?/, "")).join("\n")))),
  bullets: (lines) => el("ul", {}, ...items(lines)),
  ordered: (lines) => el("ol", { start: lines[0].match(ITEM)[1] }, ...items(lines)),
  table,
};

const items = (lines) => lines.map((line) => el("li", {}, ...inline(line.match(ITEM)[2])));

function table(lines) {
  const rows = lines.filter((line) => !RULE.test(line)).map((line) => line.replace(/^\s*\||\|\s*$/g, "").split("|"));
  const cells = (row, tag) => el("tr", {}, ...row.map((cell) => el(tag, {}, ...inline(cell.trim()))));
  const [head = [], ...body] = rows;
  const node = el("table", {}, el("thead", {}, cells(head, "th")), el("tbody", {}, ...body.map((row) => cells(row, "td"))));
  const box = el("div", {}, node);
  makeScrollable(node);
  return box.firstChild;
}

function inline(text) {
  return text.split(INLINE).filter(Boolean).map((part) => {
    if (part.startsWith("**") && part.endsWith("**") && part.length > 4) return el("strong", { text: part.slice(2, -2) });
    if (part.startsWith("`") && part.length > 2) return el("code", { text: part.slice(1, -1) });
    const link = part.match(/^\[([^\]]+)\]\(/);
    // Half of a bold mark has arrived: its stars would only flicker.
    return link ? link[1] : part.replaceAll("**", "");
  });
}
