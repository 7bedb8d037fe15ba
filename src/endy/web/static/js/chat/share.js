// Copying an answer and passing a question on.

import { el, icon, toast } from "../shared/dom.js";
import { t } from "../shared/strings.js";

export function copyButton(label, text) {
  return toolButton("copy", label, async () => toast(t((await copy(text())) ? "copied" : "copy.failed")));
}

export function copyTextButton(label, text) {
  const pressed = async () => toast(t((await copy(text())) ? "copied" : "copy.failed"));
  return el("button", { type: "button", class: "button", on: { click: pressed } }, icon("copy"), label);
}

export function shareButton(question) {
  return toolButton("share", t("tools.share"), () => share(question));
}

export function answerText(body, answer) {
  const copyOfBody = body.cloneNode(true);
  copyOfBody.querySelectorAll(".cite").forEach((cite) => cite.remove());
  const text = plain(copyOfBody);
  const titles = (answer.sources ?? []).map((source) => source.title).join(", ");
  return titles ? `${text}\n\n${t("copy.source", { titles })}` : text;
}

// What innerText would give, which needs the element to be on the page.
function plain(root) {
  root.querySelectorAll("td, th").forEach((cell) => cell.append("\t"));
  root.querySelectorAll("p, li, tr, h3, h4, pre").forEach((block) => block.append("\n"));
  return root.textContent.replace(/[ \t]*\n\s*/g, "\n").trim();
}

function toolButton(name, label, pressed) {
  return el("button", { type: "button", class: "icon-button", "aria-label": label, title: label, on: { click: pressed } }, icon(name));
}

async function share(question) {
  const url = `${location.origin}/?q=${encodeURIComponent(question)}`;
  if (navigator.share && matchMedia("(pointer: coarse)").matches) {
    try {
      return await navigator.share({ title: t("app.name"), text: question, url });
    } catch (error) {
      if (error.name === "AbortError") return undefined;
    }
  }
  return toast(t((await copy(url)) ? "copied.link" : "copy.failed"));
}

// The clipboard API exists only on HTTPS and localhost; an in-house HTTP address needs the old way.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const area = el("textarea", { class: "sr-only", "aria-hidden": "true", readonly: true });
  const focused = document.activeElement;
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  return copied;
}
