// Live updates: one EventSource a visible tab. The stream names what changed and carries no content; the
// fragments fetch themselves again, so that every permission is checked where it always is.
//
//   <body data-live-url="/...">            the stream; without it, polling
//   data-live-events="inbox-changed ..."   on body: the events to pass on (default: those in EVENTS)
//   hx-trigger="inbox-changed from:body throttle:1s"   on a fragment that wants to follow
//   [data-live-chip]                       says "Live", or how old the page is
//   data-poll="inbox-changed ..."          on body: what polling fires (default inbox- and notices-changed)
import { words } from "./time.js";
import { said } from "./words.js";

const EVENTS = ["inbox-changed", "notices-changed", "item-changed", "progress-changed", "kill-switch-changed"];
const POLL_MS = 20_000;
const SLOWEST_MS = 30_000;

let source = null;
let attempt = 0;
let retry = 0;
let live = false;
let updatedAt = Date.now();

function fire(name, detail) {
  updatedAt = Date.now();
  document.body.dispatchEvent(new CustomEvent(name, { detail }));
}

function open() {
  const url = document.body.dataset.liveUrl;
  if (!url || source || document.hidden) return;
  // The stream answers on a port of its own: without this the browser would not send the session along.
  source = new EventSource(url, { withCredentials: true });
  source.onopen = () => {
    // What happened while the stream was away is not in it.
    if (attempt > 0) pollOnce();
    attempt = 0;
    setLive(true);
  };
  source.onerror = () => {
    close();
    attempt += 1;
    const wait = Math.min(SLOWEST_MS, 1000 * 2 ** Math.min(attempt, 5));
    retry = setTimeout(open, wait * (0.7 + 0.6 * Math.random()));
  };
  for (const name of (document.body.dataset.liveEvents?.split(" ") ?? EVENTS)) {
    source.addEventListener(name, (event) => fire(name, { data: event.data }));
  }
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
  setLive(false);
}

function pollOnce() {
  for (const name of (document.body.dataset.poll ?? "inbox-changed notices-changed").split(" ")) fire(name, { polled: true });
}

function setLive(now) {
  live = now;
  paint();
}

function age() {
  const seconds = Math.round((Date.now() - updatedAt) / 1000);
  return words(seconds < 60 ? seconds - (seconds % 10) : seconds);
}

function paint() {
  for (const chip of document.querySelectorAll("[data-live-chip]")) {
    const text = live ? said("live") : said("updated", age());
    chip.classList.toggle("chip-ok", live);
    const place = chip.querySelector("[data-live-text]") ?? chip;
    if (place.textContent !== text) place.textContent = text;
  }
}

if (document.body.dataset.liveUrl || document.querySelector("[data-live-chip]")) {
  open();
  setInterval(() => { if (!live && !document.hidden) pollOnce(); }, POLL_MS);
  setInterval(paint, 5000);
  document.addEventListener("htmx:after:swap", paint);
  // A hidden tab would hold one of the six connections that a browser has for a host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    pollOnce();
    return open();
  });
  window.addEventListener("pagehide", close);
}
