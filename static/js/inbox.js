// The list: move, select, look for. Enter is the browser's own, since the current row's link has the focus.
//
//   table[data-list]            the list; its rows are tr.row[data-row="ID"], each with a.ttl
//   tr.row.cur                  the current row: set by the server or here, kept over a swap by its id
//   input.check[name="items"]   selection (name is the server's business)
//   [data-bulk]                 the bar: the style sheet shows it while something is selected, without script too
//   [data-bulk-count]           how many; [data-bulk-text] what they are, or why they cannot go together
//   [data-bulk-act]             its buttons, dead while the selection cannot go together
//   [data-bulk-clear]           lets them go
//   tr.row[data-together][data-held][data-cap] or [data-alone]   with what it may go together; the server decides
//   tr.row[data-amount][data-money="€0.00"]   what is at stake in it, and how nothing is written: a sum is written so
//   tr.row[data-peek="URL"]     what Space shows in dialog#peek, in #peek-body
//   [data-copy]                 copies the code beside it
//   data-keys-extra="J K" data-key-label="..."   on any element: a line in the sheet of keys
//
// Keys: j and k (or arrows) move, x selects, Shift+x selects a range, Space peeks, Escape lets all go. "/" and
// Enter are data-key on the search field and on "Start reviewing" (keys.js).
import { isTyping, meaning } from "./keys.js";
import { announce } from "./messages.js";
import { said } from "./words.js";

let currentId = null;
let anchorId = null;
let selectedIds = new Set();

function rows() {
  return [...document.querySelectorAll("[data-list] tr.row")].filter((row) => row.checkVisibility());
}

function current(all = rows()) {
  return all.find((row) => row.classList.contains("cur")) ?? null;
}

function mark(row) {
  document.querySelectorAll("[data-list] tr.cur").forEach((other) => other !== row && other.classList.remove("cur"));
  row?.classList.add("cur");
  currentId = row?.dataset.row ?? null;
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(current(all));
  // The first press goes to the row that is marked already: only then does the focus follow.
  const begin = at >= 0 && !all[at].contains(document.activeElement) && step > 0 ? at : at + step;
  const row = all[Math.min(Math.max(begin, 0), all.length - 1)];
  mark(row);
  row.querySelector("a.ttl")?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function box(row) {
  return row?.querySelector("input.check") ?? null;
}

function select(range) {
  const all = rows();
  const row = current(all);
  const check = box(row);
  if (!check || check.disabled) return;
  const anchor = all.find((other) => other.dataset.row === anchorId);
  if (range && anchor) {
    const [from, to] = [all.indexOf(anchor), all.indexOf(row)].sort((a, b) => a - b);
    all.slice(from, to + 1).forEach((other) => { if (box(other) && !box(other).disabled) box(other).checked = true; });
  } else {
    check.checked = !check.checked;
    anchorId = row.dataset.row;
  }
  check.dispatchEvent(new Event("change", { bubbles: true }));
}

function checked() {
  return [...document.querySelectorAll("[data-list] input.check:checked")];
}

// Why the rows cannot be decided together, "" where they can. A hint: the server looks again.
function whyNot(selected) {
  if (selected.length > 1 && new Set(selected.map((row) => row.dataset.together ?? row.dataset.row)).size > 1) {
    return selected.find((row) => row.dataset.alone)?.dataset.alone ?? said("notAlike");
  }
  const [first] = selected;
  if (first.dataset.alone) return first.dataset.alone;
  return selected.length > Number(first.dataset.cap) ? said("atMost", first.dataset.cap) : "";
}

// What the rows are worth together, "" where none says: by what it is counted in. The server adds it up again.
function worth(selected) {
  const valued = selected.filter((row) => row.dataset.amount);
  if (!valued.length) return "";
  const sums = Object.entries(Object.groupBy(valued, (row) => row.dataset.money)).map(([money, rows]) => {
    const sum = rows.reduce((total, row) => total + Number(row.dataset.amount), 0);
    const digits = money.match(/0(?:[.,](0+))?/)[1]?.length ?? 0;
    const shown = Math.abs(sum).toLocaleString(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return (sum < 0 ? "−" : "") + money.replace(/0([.,]0+)?/, shown);
  });
  const unsaid = selected.length - valued.length;
  return `, ${said("total", sums.join(said("and")))}${unsaid ? `, ${said("unstated", unsaid)}` : ""}`;
}

function count() {
  const bar = document.querySelector("[data-bulk]");
  const selected = checked().map((check) => check.closest("tr.row"));
  selectedIds = new Set(selected.map((row) => row.dataset.row));
  if (!bar || !selected.length) return;
  const problem = whyNot(selected);
  bar.querySelectorAll("[data-bulk-count]").forEach((element) => { element.textContent = String(selected.length); });
  bar.querySelector("[data-bulk-text]").textContent =
    problem || said("lowRisk", selected[0].dataset.held) + worth(selected);
  bar.querySelectorAll("[data-bulk-act]").forEach((button) => { button.disabled = problem !== ""; });
}

async function peek(row) {
  const dialog = document.getElementById("peek");
  if (!dialog || !row?.dataset.peek) return;
  await window.htmx.ajax("GET", row.dataset.peek, { target: "#peek-body", swap: "innerMorph" });
  if (!document.querySelector("dialog:modal")) dialog.showModal();
}

async function copy(button) {
  await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
  announce(said("copied"));
  button.lastChild.textContent = said("copied");
}

function clear() {
  checked().forEach((check) => { check.checked = false; });
  count();
}

document.addEventListener("keydown", (event) => {
  if (!document.querySelector("[data-list]") || isTyping(event.target)) return;
  if (document.querySelector("dialog#peek:modal") && event.key === " " && !event.target.closest("a, button")) {
    document.getElementById("peek").close();
    event.preventDefault();
  }
  if (document.querySelector("dialog:modal")) return;
  if (document.documentElement.dataset.keys === "off") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const key = meaning(event);
  if (key === " " && (event.repeat || event.target.closest("button, input, select, summary"))) return;
  if (key === "j" || key === "ArrowDown") move(1);
  else if (key === "k" || key === "ArrowUp") move(-1);
  else if (key === "x" && !event.repeat) select(event.shiftKey);
  else if (key === " " && current()) peek(current());
  else if (key === "Escape") return clear();
  else return undefined;
  return event.preventDefault();
});

document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.("[data-list] tr.row");
  if (row) mark(row);
});
document.addEventListener("change", (event) => { if (event.target.matches?.("[data-list] input.check")) count(); });
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-bulk-clear]")) clear();
  const button = event.target.closest?.("[data-copy]");
  if (button) copy(button);
});
document.addEventListener("htmx:after:swap", () => {
  const row = currentId && rows().find((other) => other.dataset.row === currentId);
  if (row) mark(row);
  rows().forEach((other) => { if (box(other)) box(other).checked = selectedIds.has(other.dataset.row); });
  count();
});
count();
