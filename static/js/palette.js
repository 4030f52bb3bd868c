// The palette: everything that can be done on this page and everywhere one can go, by a few letters of it.
// Loaded at the first Ctrl+K (keys.js). Without script, /go/ is a page with the same places.
//
//   <html data-places="/go/">   answers JSON: {"places": [{label, url, section}]}
//   [data-key]                  what is visible of these is offered too, with its key, and pressed
//   A combobox with a list (ARIA 1.2): the focus stays in the field, aria-activedescendant names the option.
import { printed } from "./keys.js";
import { wordsOf } from "./sheet.js";
import { said } from "./words.js";

const MOST = 60;
let dialog = null;
let places = null;
let shown = [];
let at = 0;

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function build() {
  const field = make("input", {
    class: "input", type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list",
    "aria-autocomplete": "list", "aria-label": said("ask"), placeholder: said("letters"),
    autocomplete: "off", spellcheck: "false",
  });
  const list = make("ul", { id: "palette-list", class: "palette-list", role: "listbox", "aria-label": said("places") });
  const found = make("p", { class: "sm muted", role: "status", "data-said": "" });
  dialog = make("dialog", { class: "dialog palette", "aria-label": said("places") }, field, list, found);
  document.body.append(dialog);
  field.addEventListener("input", () => { at = 0; paint(); });
  field.addEventListener("keydown", onKey);
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) choose(shown[Number(option.dataset.index)]);
  });
  list.addEventListener("pointermove", (event) => {
    const option = event.target.closest("[role=option]");
    if (option && Number(option.dataset.index) !== at) { at = Number(option.dataset.index); mark(); }
  });
}

function acts() {
  const found = [];
  for (const element of document.querySelectorAll("[data-key]")) {
    if (element.disabled || dialog.contains(element) || !element.checkVisibility()) continue;
    const label = wordsOf(element);
    if (label && !found.some((other) => other.label === label)) {
      found.push({ label, section: said("here"), keys: printed(element.dataset.key.split(" ")[0]), element });
    }
  }
  return found;
}

// How well letters fit words: all of them in their order, the better the nearer to beginnings of words.
function fit(letters, words) {
  let score = 0;
  let from = 0;
  for (const letter of letters) {
    const found = words.indexOf(letter, from);
    if (found < 0) return -1;
    if (found === 0 || words[found - 1] === " ") score += 3;
    if (found === from) score += 2;
    score -= (found - from) / 50;
    from = found + 1;
  }
  return score;
}

function paint() {
  const letters = dialog.querySelector("input").value.toLowerCase().replace(/\s+/g, "");
  shown = [...dialog.acts, ...(places ?? [])]
    .map((entry) => ({ ...entry, score: fit(letters, entry.label.toLowerCase()) }))
    .filter((entry) => entry.score >= 0);
  if (letters) shown.sort((a, b) => b.score - a.score);
  shown = shown.slice(0, MOST);
  const options = shown.map((entry, index) => {
    const option = make("li", { id: `palette-${index}`, role: "option", "data-index": String(index) });
    option.append(make("span", { class: "grow" }, entry.label), make("span", { class: "xs muted" }, entry.section));
    if (entry.keys) option.append(make("kbd", {}, entry.keys));
    return option;
  });
  dialog.querySelector("[role=listbox]").replaceChildren(...options);
  dialog.querySelector("[data-said]").textContent = shown.length ? "" : said("nothing");
  mark();
}

function mark() {
  const field = dialog.querySelector("input");
  at = Math.min(Math.max(at, 0), Math.max(shown.length - 1, 0));
  dialog.querySelectorAll("[role=option]").forEach((option, index) => {
    option.setAttribute("aria-selected", String(index === at));
    if (index === at) option.scrollIntoView({ block: "nearest" });
  });
  if (shown.length) field.setAttribute("aria-activedescendant", `palette-${at}`);
  else field.removeAttribute("aria-activedescendant");
}

function onKey(event) {
  if (event.isComposing) return;
  if (event.key === "ArrowDown") at += 1;
  else if (event.key === "ArrowUp") at -= 1;
  else if (event.key === "Enter" && !event.repeat) { event.preventDefault(); choose(shown[at]); return; }
  else return;
  event.preventDefault();
  mark();
}

function choose(entry) {
  if (!entry) return;
  dialog.close();
  if (entry.url) window.location.assign(entry.url);
  else if (entry.element.matches("input:not([type=checkbox]):not([type=radio]), textarea, select")) entry.element.focus();
  else entry.element.click();
}

export async function open() {
  if (!dialog) build();
  if (dialog.open) { dialog.close(); return; }
  if (document.querySelector("dialog:modal")) return;
  dialog.acts = acts();
  dialog.querySelector("input").value = "";
  at = 0;
  paint();
  dialog.showModal();
  if (places) return;
  const answer = await fetch(document.documentElement.dataset.places, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  places = (await answer.json()).places;
  if (dialog.open) paint();
}
