// Server-sent events over fetch, because EventSource cannot POST.

import { ApiError } from "./api.js";

// The server says something at least every 15 seconds.
const SILENCE_MS = 40_000;
const BLANK_LINE = /\r\n\r\n|\n\n|\r\r/;

export async function* events(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  try {
    for (;;) {
      const { value, done } = await readInTime(reader);
      if (done) return;
      buffer += decoder.decode(value, { stream: true });
      const blocks = buffer.split(BLANK_LINE);
      buffer = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function readInTime(reader) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new ApiError({ code: "cut" })), SILENCE_MS);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    if (error.name === "AbortError" || error instanceof ApiError) throw error;
    throw new ApiError({ code: navigator.onLine ? "cut" : "offline" });
  } finally {
    clearTimeout(timer);
  }
}

// Null for a comment, which only keeps proxies open.
function parse(block) {
  let name = "message";
  const data = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
}
