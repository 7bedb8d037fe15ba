// The wait after too many questions, shared by the composer and the questions that hit it.

let until = 0;
let timer;
const listeners = new Set();

export const secondsLeft = () => Math.max(0, Math.ceil((until - Date.now()) / 1000));

// `listener(seconds)` runs now, at each second and at 0.
export function watchLimit(listener) {
  listeners.add(listener);
  listener(secondsLeft());
}

export function startLimit(seconds) {
  until = Math.max(until, Date.now() + Math.max(1, seconds) * 1000);
  clearInterval(timer);
  timer = setInterval(tick, 250);
  tick();
}

function tick() {
  const left = secondsLeft();
  listeners.forEach((listener) => listener(left));
  if (left === 0) clearInterval(timer);
}

export const unwatchLimit = (listener) => listeners.delete(listener);
