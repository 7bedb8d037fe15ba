// The thread: asking, stopping, asking again, and surviving a reload of the tab.

import { user, withLogin } from "../shared/account.js";
import { ApiError, send } from "../shared/api.js";
import { byId } from "../shared/dom.js";
import { events } from "../shared/sse.js";
import { tab } from "../shared/store.js";
import * as composer from "./composer.js";
import * as history from "./history.js";
import { closeSource } from "./panel.js";
import { bringToTop, TurnView } from "./turn.js";

const KEY = "endy.thread";
const MOST_KEPT = 20;

let turns = [];
let conversationId = "";
let running = null;

export function ask(question, { category = "" } = {}) {
  const text = question.trim();
  if (!text) return;
  history.add(text);
  const turn = { question: text, category, answer: null, view: new TurnView(text) };
  turns.push(turn);
  show(turn);
  bringToTop(turn.view);
  run(turn);
}

export function stop() {
  running?.abort();
}

export function startAnew() {
  stop();
  closeSource();
  turns = [];
  conversationId = "";
  byId("thread").replaceChildren();
  tab.remove(KEY);
  document.body.classList.remove("talking");
  scrollTo({ top: 0, behavior: "instant" });
}

// Somebody else's conversation must not stay on the screen.
export function belongsTo(person) {
  const { owner } = tab.get(KEY, {});
  if (owner && person && owner !== person.employee_id) {
    const asked = turns.filter((turn) => turn.view.node.querySelector("[aria-busy]"));
    startAnew();
    asked.forEach((turn) => ask(turn.question, turn));
  }
  if (turns.length) save();
}

export function restore() {
  const kept = tab.get(KEY, {});
  conversationId = kept.conversationId ?? "";
  for (const { question, category, answer } of kept.turns ?? []) {
    const turn = { question, category, answer, view: new TurnView(question) };
    turns.push(turn);
    show(turn);
    if (answer) turn.view.finish(answer, actions, { quietly: true });
    else turn.view.stopped(() => run(turn));
  }
  if (turns.length) bringToTop(turns.at(-1).view, { instantly: true });
}

function show(turn) {
  byId("thread").append(turn.view.node);
  document.body.classList.add("talking");
}

function save() {
  const kept = turns.slice(-MOST_KEPT).map(({ question, category, answer }) => ({ question, category, answer }));
  tab.set(KEY, { owner: user?.employee_id ?? tab.get(KEY, {}).owner ?? "", conversationId, turns: kept });
}

const actions = { ask: (question) => ask(question), remembered: save };

async function run(turn) {
  stop();
  const mine = (running = new AbortController());
  const retry = () => run(turn);
  composer.setBusy(true);
  turn.view.wait();
  save();
  try {
    turn.answer = await withLogin(() => receive(turn, mine.signal));
    conversationId = turn.answer.conversation_id || conversationId;
    turn.view.finish(turn.answer, actions);
    save();
  } catch (error) {
    if (error.name === "AbortError") turn.view.stopped(retry);
    else turn.view.fail(error instanceof ApiError ? error : new ApiError({ code: "internal_error" }), retry);
  } finally {
    if (running === mine) {
      running = null;
      composer.setBusy(false);
    }
  }
}

async function receive(turn, signal) {
  const body = { question: turn.question };
  if (conversationId) body.conversation_id = conversationId;
  if (turn.category) body.category = turn.category;
  if (!navigator.onLine) throw new ApiError({ code: "offline" });
  const response = await send("POST", "/api/ask/stream", { body, signal, accept: "text/event-stream" });
  for await (const { name, data } of events(response)) {
    if (name === "meta") turn.view.found(data);
    else if (name === "delta") turn.view.append(data.text);
    else if (name === "done") return data;
    else if (name === "error") throw streamFailure(data, response);
  }
  throw new ApiError({ code: "cut" });
}

function streamFailure(data, response) {
  return new ApiError({
    code: data.error,
    message: data.message,
    retryAfter: data.details?.retry_after,
    status: data.error === "rate_limit_exceeded" ? 429 : 500,
    requestId: response.headers.get("X-Request-ID") ?? "",
  });
}
