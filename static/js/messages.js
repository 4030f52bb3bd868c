// Messages in the corner: say(text, level), announce(text) for screen readers, and what to say when a
// request did not get through.
//
//   [data-toast]     one message; a success goes away by itself, the others stay
//   [data-dismiss]   a button that takes its message away
//   #told[data-count]   how many notices are new, "" for none: kept in the title and in each [data-unread]
import { said } from "./words.js";

const STAY_MS = 6000;

export function announce(text) {
  const region = document.getElementById("announce");
  if (region) region.textContent = text;
}

export function say(text, level = "error") {
  const template = document.getElementById("toast-template");
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.classList.replace("toast-error", `toast-${level}`);
  toast.querySelector("[data-toast-text]").textContent = text;
  document.getElementById("messages").append(toast);
  fade(toast);
}

function fade(toast) {
  if (!toast.classList.contains("toast-success")) return;
  setTimeout(() => toast.matches(":hover, :focus-within") || toast.remove(), STAY_MS);
}

function problemText(status) {
  if (status === 403) return said("refused");
  if (status === 404) return said("gone");
  if (status === 413) return said("tooLarge");
  return said("failed");
}

function isVerdict(event) {
  return event.detail.ctx?.sourceElement?.matches?.("form[data-draft]") ?? false;
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest("[data-toast]")?.remove();
});

// In debug mode django-htmx keeps errors out of the page, and with them the words of a refusal.
if (window.htmx) window.htmx.config.noSwap = [204, 304];

// 409, 410 and 422 bring their own words, which htmx swaps in; so does what names its own place.
document.addEventListener("htmx:response:error", (event) => {
  const { response, hx } = event.detail.ctx;
  const { status } = response;
  if (status >= 502 && isVerdict(event)) return; // draft.js sends it again.
  if (!hx?.retarget && ![409, 410, 422].includes(status)) say(problemText(status));
});

document.addEventListener("htmx:error", (event) => {
  if (event.detail.error?.name !== "AbortError" && !isVerdict(event)) {
    say(said("silent"));
  }
});

function tell() {
  const count = document.getElementById("told")?.dataset.count ?? "";
  document.title = (count && `(${count}) `) + document.title.replace(/^\(\d+\+?\) /, "");
  document.querySelectorAll("[data-unread]").forEach((badge) => {
    badge.textContent = count;
    badge.hidden = !count;
  });
}

document.addEventListener("htmx:after:swap", () => {
  tell();
  document.querySelectorAll("#messages [data-toast]:not([data-seen])").forEach((toast) => {
    toast.dataset.seen = "";
    fade(toast);
  });
});

document.querySelectorAll("#messages [data-toast]").forEach(fade);
