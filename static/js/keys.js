// Single keys (WCAG 2.1.4: they have an off switch, data-keys="off" on the root element).
//
//   data-key="a"          this key presses the element; a field is focused instead. Printed in its <kbd>.
//                         Several: data-key="j ArrowDown". Letters are lower case.
//   data-key-label="..."  its words in the sheet of keys; else the element's own text
//   data-arm="ITEM-ID"    around an item: for 400 ms after another id appears, no key and no press on a
//                         [data-key] button in it counts, so that a key held or hit twice decides once
//   data-send             Ctrl+Enter in a field presses this button of the field's form (the first one enabled)
//   data-opens="keys-sheet" (dialogs.js) and "?" open the sheet
//
//   <html data-own-keys='{"a":"y"}'>   the person's own keys: what comes with a is pressed by y, and printed so
//   <html data-palette="URL">          Ctrl+K (⌘ K), or [data-opens-palette], loads and opens palette.js
//
// Keys rest in fields, with modifiers, while an input method composes, while repeating, and behind a dialog.
const ARMING_MS = 400;
const CLICKABLE = "a[href], button, summary, input, select, textarea";
const NOT_TYPED = new Set(["checkbox", "radio", "button", "submit", "reset", "range", "color", "file"]);

export const own = JSON.parse(document.documentElement.dataset.ownKeys ?? "{}");
const taken = new Map(Object.entries(own).map(([code, key]) => [key, code]));

// What the key of an event stands for: the name of the act that the person gave it to, "" for a key given away.
export function meaning(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return taken.get(key) ?? (key in own ? "" : key);
}

export function printed(code) {
  const key = own[code] ?? code;
  return key.length === 1 ? key.toUpperCase() : key;
}

function print() {
  if (!taken.size) return;
  for (const element of document.querySelectorAll("[data-key]")) {
    const cap = element.querySelector("kbd[data-single]") ?? element.parentElement.querySelector(":scope > kbd[data-single]");
    const code = element.dataset.key.split(" ")[0];
    if (cap && code in own) cap.textContent = printed(code);
  }
}

let armedId = null;
let armedAt = 0;

export function isTyping(target) {
  if (target.isContentEditable || target.matches?.("textarea, select")) return true;
  return Boolean(target.matches?.("input")) && !NOT_TYPED.has(target.type);
}

function arm() {
  const id = document.querySelector("[data-arm]")?.dataset.arm ?? null;
  if (id === armedId) return;
  armedId = id;
  armedAt = performance.now() + ARMING_MS;
}

function isArming(element) {
  return performance.now() < armedAt && element.closest("[data-arm]") !== null;
}

function isReachable(element) {
  const modal = document.querySelector("dialog:modal");
  return (!modal || modal.contains(element)) && !element.closest("[inert]")
    && element.checkVisibility({ visibilityProperty: true });
}

function holders(key) {
  return [...document.querySelectorAll("[data-key]")].filter(
    (element) => element.dataset.key.split(" ").includes(key) && !element.disabled && isReachable(element),
  );
}

function press(element) {
  if (element.matches("input:not([type=checkbox]):not([type=radio]), textarea, select")) {
    element.focus();
    element.select?.();
  } else {
    element.click();
  }
}

// Seldom needed, so loaded when it is.
async function openSheet() {
  const sheet = await import("./sheet.js");
  sheet.open();
}

function sendFromField(event) {
  const form = event.target.form ?? event.target.closest("form");
  const buttons = form ? [...form.elements].filter((element) => element.matches("[data-send]")) : [];
  const button = buttons.find((element) => !element.disabled && isReachable(element));
  if (!button || event.repeat || isArming(button)) return;
  event.preventDefault();
  button.click();
}

async function openPalette() {
  const palette = await import(document.documentElement.dataset.palette);
  document.querySelector("#keys-sheet[open]")?.close();
  await palette.open();
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k"
      && document.documentElement.dataset.palette) {
    event.preventDefault();
    if (!event.repeat) openPalette();
    return;
  }
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) sendFromField(event);
    return;
  }
  if (document.documentElement.dataset.keys === "off") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  // Enter and Space belong to what has the focus.
  if ((event.key === "Enter" || event.key === " ") && event.target.closest(CLICKABLE)) return;
  if (event.key === "?") {
    event.preventDefault();
    openSheet();
    return;
  }
  if (event.shiftKey && event.key.length === 1 && event.key !== event.key.toLowerCase()) return;
  const key = meaning(event);
  const [element] = key ? holders(key) : [];
  if (!element) return;
  event.preventDefault();
  if (!isArming(element)) press(element);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-key]");
  if (event.target.closest?.('[data-opens="keys-sheet"]')) openSheet();
  if (event.target.closest?.("[data-opens-palette]") && document.documentElement.dataset.palette) {
    event.preventDefault();
    openPalette();
  }
  if (!button?.matches("button, a") || !isArming(button)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

document.addEventListener("htmx:after:swap", () => { arm(); print(); });
arm();
print();
