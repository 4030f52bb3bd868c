// Counts deadlines down: one timer for all of them, on the server's clock. The server decides; this only
// shows. The words are those of due_time in hitl_site/lib/wording.py, whose units the page brings.
//
//   <time data-due datetime="ISO">   the deadline
//     data-opened="ISO"              when the time began (for the state; else an hour before)
//     data-prefix="Due in "          words before it, left out when it is late
//     data-format="words|seconds|clock"   "6 min" (the default), "6 s", "9:42"
//   [data-due-root]                  gets the class due-ok, due-warn, due-no or due-late
//   <meta name="server-time" data-units="s min h day days" data-late="{} late">
//                                    the server's clock when it wrote the page, and the words
//   event "due-reached" (bubbles)    once, at the deadline
const STATES = ["due-ok", "due-warn", "due-no", "due-late"];

// The page began to arrive when the server wrote this meta, give or take the way here.
const meta = document.querySelector('meta[name="server-time"]');
const written = Date.parse(meta?.content ?? "");
const arrival = performance.getEntriesByType("navigation")[0]?.responseStart ?? 0;
const [s, min, h, day, days] = (meta?.dataset.units ?? "").split(" ");
const offset = Number.isNaN(written) ? 0 : written - (performance.timeOrigin + arrival);

export function serverNow() {
  return performance.timeOrigin + performance.now() + offset;
}

export function words(seconds) {
  const total = Math.trunc(Math.abs(seconds));
  if (total < 60) return `${total} ${s}`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes} ${min}`;
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  if (hours < 24) return rest ? `${hours} ${h} ${String(rest).padStart(2, "0")} ${min}` : `${hours} ${h}`;
  const whole = Math.floor(hours / 24);
  const told = `${whole} ${whole === 1 ? day : days}`;
  return hours % 24 && whole < 7 ? `${told} ${hours % 24} ${h}` : told;
}

function clock(seconds) {
  const total = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(total / 60)}:${String(total % 60).padStart(2, "0")}`;
}

export function stateOf(left, given) {
  if (left <= 0) return "due-late";
  const share = given > 0 ? left / given : 0;
  return share > 0.25 ? "due-ok" : share > 0.1 ? "due-warn" : "due-no";
}

function textOf(element, left) {
  const prefix = element.dataset.prefix ?? "";
  if (element.dataset.format === "seconds") return `${prefix}${Math.max(0, Math.ceil(left))} ${s}`;
  if (element.dataset.format === "clock") return prefix + clock(left);
  return left <= 0 ? (meta?.dataset.late ?? "").replace("{}", words(left)) : prefix + words(left);
}

function tick() {
  for (const element of document.querySelectorAll("[data-due]")) {
    const due = Date.parse(element.dateTime);
    if (Number.isNaN(due)) continue;
    const left = (due - serverNow()) / 1000;
    const text = textOf(element, left);
    if (element.textContent !== text) element.textContent = text;
    const opened = Date.parse(element.dataset.opened ?? "");
    const root = element.closest("[data-due-root]");
    if (root) {
      const state = stateOf(left, Number.isNaN(opened) ? 3600 : (due - opened) / 1000);
      if (!root.classList.contains(state)) {
        root.classList.remove(...STATES);
        root.classList.add(state);
      }
    }
    if (left <= 0 && element.dataset.reached !== element.dateTime) {
      // Not for what was over when the page came: only for what ends under the reader's eyes.
      if (left > -5) element.dispatchEvent(new CustomEvent("due-reached", { bubbles: true }));
      element.dataset.reached = element.dateTime;
    }
  }
}

setInterval(tick, 1000);
document.addEventListener("htmx:after:swap", tick);
document.addEventListener("visibilitychange", () => document.hidden || tick());
tick();
