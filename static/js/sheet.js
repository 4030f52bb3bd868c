// The sheet of keys: what each key of this page does. Loaded when somebody asks for it (keys.js).
//
//   dialog#keys-sheet [data-keys-list]   the list that is filled from [data-key] and [data-keys-extra]
import { own, printed } from "./keys.js";
import { said } from "./words.js";

export function wordsOf(element) {
  if (element.dataset.keyLabel) return element.dataset.keyLabel;
  const copy = element.cloneNode(true);
  copy.querySelectorAll("kbd, .vh, svg").forEach((part) => part.remove());
  const words = copy.textContent.replace(/\s+/g, " ").trim();
  return words || element.getAttribute("aria-label") || element.title || element.placeholder || "";
}

function addRow(list, keys, words) {
  const term = document.createElement("dt");
  for (const key of keys) {
    const cap = document.createElement("kbd");
    cap.textContent = printed(key.toLowerCase() in own ? key.toLowerCase() : key);
    term.append(cap, " ");
  }
  const meaning = document.createElement("dd");
  meaning.textContent = words;
  list.append(term, meaning);
}

function fillSheet() {
  const list = document.querySelector("[data-keys-list]");
  list.replaceChildren();
  const seen = new Set();
  for (const element of document.querySelectorAll("[data-key]")) {
    if (seen.has(element.dataset.key) || !element.checkVisibility()) continue;
    seen.add(element.dataset.key);
    addRow(list, element.dataset.key.split(" "), wordsOf(element));
  }
  for (const extra of document.querySelectorAll("[data-keys-extra]")) {
    addRow(list, extra.dataset.keysExtra.split(" "), extra.dataset.keyLabel);
  }
  if (document.querySelector("[data-send]")) addRow(list, [said("ctrl"), "Enter"], said("sendFromField"));
  addRow(list, ["?"], said("thisList"));
}

export function open() {
  fillSheet();
  const sheet = document.getElementById("keys-sheet");
  if (!sheet.open) sheet.showModal();
}
