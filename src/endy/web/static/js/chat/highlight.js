// Finds a passage in rendered text although the two differ in spacing and Markdown marks, and marks it.

const SIGNIFICANT = /[\p{L}\p{N}]/u;
const SHORTEST_PART = 6;

// Returns the marks made, in reading order; empty when the passage is not there.
export function highlight(root, passage) {
  const text = index(root);
  for (const parts of [[passage], pieces(passage, /\n/), pieces(passage, /\n|\|/)]) {
    const ranges = parts.flatMap((part) => find(text, part) ?? []);
    // Backwards, so that splitting a text node leaves the places before it valid.
    if (ranges.length) return merge(ranges).reverse().map((range) => wrap(text, ...range)).reverse().flat();
  }
  return [];
}

function pieces(passage, separator) {
  return passage.split(separator).filter((piece) => significant(piece).length >= SHORTEST_PART);
}

// Every letter and digit of the root with the place it came from.
function index(root) {
  const letters = [];
  const places = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    let offset = 0;
    for (const character of node.data) {
      if (SIGNIFICANT.test(character)) {
        // An index counts code points, as `Array.from` does; a place counts what DOM ranges count.
        letters.push(character.normalize("NFC"));
        places.push([node, offset, offset + character.length]);
      }
      offset += character.length;
    }
  }
  return { letters: letters.join("\u0000"), places };
}

function find(text, part) {
  for (const plain of [withoutMarks(part, true), withoutMarks(part, false)]) {
    const wanted = significant(plain);
    if (!wanted.length) continue;
    const at = text.letters.indexOf(wanted.join("\u0000"));
    if (at >= 0) {
      const from = text.letters.slice(0, at).split("\u0000").length - 1;
      return [[from, from + wanted.length - 1]];
    }
  }
  return null;
}

function significant(text) {
  return Array.from(text.normalize("NFC")).filter((character) => SIGNIFICANT.test(character));
}

// List numbers are drawn by the browser, so they are no text there; but "2. 5일" may also be plain text.
function withoutMarks(text, dropNumbers) {
  const plain = text
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/<[^>]+>/g, " ")
    .replace(/&(?:nbsp|amp|lt|gt|quot|#39);/g, " ");
  return dropNumbers ? plain.replace(/^\s*\d+[.)]\s+/gm, "") : plain;
}

// Repeated lines may give the same range twice; marking inside a mark would nest.
function merge(ranges) {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const merged = [sorted[0]];
  for (const [from, to] of sorted.slice(1)) {
    const last = merged[merged.length - 1];
    if (from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

function wrap(text, from, to) {
  const spans = new Map();
  for (const [node, start, end] of text.places.slice(from, to + 1)) {
    const span = spans.get(node);
    spans.set(node, [span ? span[0] : start, end]);
  }
  const nodes = [...spans.keys()];
  return nodes.map((node, at) => {
    // Between two marked nodes the spaces are marked too, so that bold words leave no gap.
    const start = at === 0 ? spans.get(node)[0] : 0;
    const end = at < nodes.length - 1 ? node.length : spans.get(node)[1];
    const mark = document.createElement("mark");
    const range = document.createRange();
    range.setStart(node, start);
    range.setEnd(node, end + closing(node.data.slice(end)));
    range.surroundContents(mark);
    return mark;
  });
}

// The full stop or bracket right after the last letter belongs to the passage.
const closing = (rest) => rest.match(/^[^\s\p{L}\p{N}]*/u)[0].length;
