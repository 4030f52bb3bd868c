// Tells the server with the verdict what was looked at, and on which screen: an approval of what was never
// in view is weak evidence. Without script the hidden fields stay empty: unknown.
// [data-end] is the proposal's last line; details and links with data-track="NAME" are noted when opened;
// [data-attention-url] is told twice a minute, so that others see who is looking.
import { csrfToken } from "./csrf.js";

const BEACON_MS = 30_000;

function form() {
  return document.querySelector("form[data-review]");
}

function note(name) {
  const field = form()?.elements.namedItem("opened");
  if (!field) return;
  const names = new Set(field.value.split(",").filter(Boolean));
  field.value = [...names.add(name)].join(",");
}

const observer = new IntersectionObserver((entries) => {
  const field = form()?.elements.namedItem("seen_end");
  if (!field || !entries.some((entry) => entry.isIntersecting)) return;
  field.value = "1";
});

let watchedForm = null;
function begin() {
  observer.disconnect();
  document.querySelectorAll("[data-end]").forEach((element) => observer.observe(element));
  const id = form()?.dataset.review ?? null;
  if (id === watchedForm) return;
  watchedForm = id;
  if (id !== null) queueMicrotask(tell);
}

function measure() {
  const field = form()?.elements.screen;
  if (field) field.value = matchMedia("(max-width:820px)").matches ? "small" : "";
}

document.addEventListener("toggle", (event) => {
  if (event.target.matches?.("details[data-track]") && event.target.open) note(event.target.dataset.track);
}, true);
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-track]");
  if (link) note(link.dataset.track);
  if (event.target.closest?.("[data-verdict]")) measure();
}, true);

async function tell() {
  const url = form()?.dataset.attentionUrl;
  if (!url || document.hidden) return;
  const body = new FormData();
  for (const name of ["token", "seen_end", "opened"]) body.append(name, form().elements.namedItem(name)?.value ?? "");
  body.append("editing", form().querySelector(".cmp-r.chg") ? "1" : "");
  const headers = { "X-CSRFToken": csrfToken(), Accept: "application/json" };
  // Nobody is held up by a beacon that is lost.
  await fetch(url, { method: "POST", headers, body }).catch(() => {});
}

document.addEventListener("htmx:after:swap", begin);
begin();
setInterval(tell, BEACON_MS);
