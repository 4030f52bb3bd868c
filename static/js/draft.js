// Guards what is typed, which the server keeps with the live diff, and sends a verdict again that did not
// get through: the server takes the same answer of the same person once, however often it comes.
import { words } from "./time.js";
import { said } from "./words.js";

const RETRY_S = 5;

let unsaved = false;

function show(text) {
  document.querySelectorAll("[data-draft-state]").forEach((element) => { element.textContent = text; });
}

function saves(event) {
  return event.detail.ctx?.sourceElement?.closest?.("[data-saves-draft]") != null;
}

document.addEventListener("input", (event) => {
  if (!event.target.closest?.("form[data-draft]") && !event.target.form?.matches("form[data-draft]")) return;
  unsaved = true;
  show(said("saving"));
});

document.addEventListener("htmx:after:request", (event) => {
  if (!saves(event)) return;
  const { status } = event.detail.ctx.response;
  // 422: the draft is kept as it is typed, though it could not run like this.
  unsaved = !(status < 400 || status === 422);
  show(said(unsaved ? "unsaved" : "saved"));
});

document.addEventListener("htmx:error", (event) => { if (saves(event)) show(said("unsaved")); });

let pressed = null;

// A verdict leaves the page on purpose, and so does the next item.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-draft]")) return;
  unsaved = false;
  pressed = event.submitter;
}, true);

function sendAgain(event) {
  const form = event.detail.ctx?.sourceElement;
  const banner = document.querySelector("[data-unsent]");
  const status = event.detail.ctx?.response?.status ?? 0;
  if (!banner || !form?.matches?.("form[data-draft]") || (status && status < 502)) return;
  unsaved = true;
  banner.hidden = false;
  let left = RETRY_S;
  (function tick() {
    if (!form.isConnected) return;
    banner.querySelector("[data-unsent-text]").textContent = said("retrying", words(left));
    if (left-- > 0) setTimeout(tick, 1000);
    else form.requestSubmit(pressed);
  })();
}

document.addEventListener("htmx:error", sendAgain);
document.addEventListener("htmx:response:error", sendAgain);
document.addEventListener("htmx:before:swap", (event) => {
  if (event.detail.ctx?.sourceElement?.closest?.("form[data-draft]") && !saves(event)) unsaved = false;
});

window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
