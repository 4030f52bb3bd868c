// Keeps the claim on the item that is being reviewed, for as long as somebody works on it.
// The heartbeat at data-lease-url answers 200 {"lease_until"}, or 404, 409, 410 {"detail"}: then the banner
// [data-lease-lost] says it, and the form stays readable and copyable. data-lease-claim: to be asked for.
import { csrfToken } from "./csrf.js";
import { serverNow } from "./time.js";
import { said } from "./words.js";

const HEARTBEAT_MS = 60_000;
const LAST_MINUTE_MS = 60_000;

let workedAt = Date.now();
for (const name of ["keydown", "pointerdown", "input", "wheel", "scroll"]) {
  document.addEventListener(name, () => { workedAt = Date.now(); }, { passive: true, capture: true });
}

function holder() {
  const element = document.querySelector("[data-lease]");
  return element && !element.dataset.lost ? element : null;
}

function deadline() {
  return document.querySelector("[data-lease-chip] [data-due]");
}

function lose(element, text) {
  element.dataset.lost = "yes";
  const banner = document.querySelector("[data-lease-lost]");
  if (banner) {
    banner.hidden = false;
    const words = banner.querySelector("[data-lease-lost-text]");
    if (words && text) words.textContent = text;
  }
  document.querySelectorAll("[data-verdict]").forEach((button) => { button.disabled = true; });
  element.dispatchEvent(new CustomEvent("lease-lost", { bubbles: true }));
}

async function beat() {
  const element = holder();
  if (!element || Date.now() - workedAt > HEARTBEAT_MS) return;
  let response;
  try {
    response = await fetch(element.dataset.leaseUrl, {
      method: "POST",
      headers: { "X-CSRFToken": csrfToken(), Accept: "application/json" },
    });
  } catch {
    return; // Offline: the next beat tries again.
  }
  const answer = await response.json().catch(() => ({}));
  if (element !== holder()) return; // The next item is here already.
  if (response.ok && answer.lease_until) {
    const time = deadline();
    if (time) {
      time.dateTime = answer.lease_until;
      time.closest("[data-lease-chip]").hidden = false;
    }
    element.dispatchEvent(new CustomEvent("lease-kept", { bubbles: true }));
  } else if ([404, 409, 410].includes(response.status)) {
    lose(element, answer.detail);
  }
}

function watch() {
  const time = deadline();
  if (!time?.dateTime) return;
  const left = Date.parse(time.dateTime) - serverNow();
  time.closest("[data-lease-chip]").classList.toggle("chip-warn", left < LAST_MINUTE_MS);
  const element = holder();
  if (element && left <= 0) lose(element, said("timeOver"));
}

function begin() {
  const element = holder();
  if (!element || element.dataset.leaseClaim === undefined || element.dataset.asked) return;
  element.dataset.asked = "yes";
  workedAt = Date.now();
  beat();
}

function release() {
  const url = holder()?.dataset.releaseUrl;
  if (!url) return;
  const headers = { "X-CSRFToken": csrfToken(), Accept: "application/json" };
  fetch(url, { method: "POST", headers, keepalive: true }).catch(() => {});
}

window.addEventListener("pagehide", release);
document.addEventListener("htmx:after:swap", begin);
begin();
setInterval(beat, HEARTBEAT_MS);
setInterval(watch, 1000);
