// The texts of the page's language, put into the page by the server.

const table = JSON.parse(document.getElementById("strings").textContent);

export const language = document.documentElement.lang;

export function t(key, values = {}) {
  return (table[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

const RO_AFTER_DIGIT = { 0: "으로", 1: "로", 2: "로", 3: "으로", 4: "로", 5: "로", 6: "으로", 7: "로", 8: "로", 9: "로" };
const RIEUL = 8;

// The Korean particle 로/으로 depends on how the last letter of the quoted text ends.
export function ro(text) {
  const last = text.match(/[\p{L}\p{N}](?=[^\p{L}\p{N}]*$)/u)?.[0] ?? "";
  if (last in RO_AFTER_DIGIT) return RO_AFTER_DIGIT[last];
  if (!/[가-힣]/.test(last)) return "(으)로";
  const final = (last.charCodeAt(0) - 0xac00) % 28;
  return final === 0 || final === RIEUL ? "로" : "으로";
}

export function duration(seconds) {
  if (seconds < 60) return t("seconds", { count: seconds });
  return t("minutes", { count: Math.floor(seconds / 60), rest: seconds % 60 });
}

export function day(text) {
  const date = new Date(text);
  if (!text || Number.isNaN(date.getTime())) return text || "";
  return new Intl.DateTimeFormat(language, { year: "numeric", month: "numeric", day: "numeric" }).format(date);
}
