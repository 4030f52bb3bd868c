// The reviewer's version beside the proposal: what is changed, and which verdict that leaves.
//
//   .cmp-r[data-row]  a field; data-row-changed: the server says that it differs (a list grew or shrank)
//   [data-original]   on a control: the agent's value as the form sends it; "true"/"false" for a box
//   [data-verdict]    approve is dead while anything is changed, correct while nothing is, both until
//                     [data-read-gate] is passed: two seconds, and the end seen
import "./attention.js";
import "./draft.js";
import "./lease.js";
import { said } from "./words.js";

function isChanged(control) {
  const original = control.dataset.original;
  if (original === undefined) return false;
  if (control.type === "checkbox" || control.type === "radio") return String(control.checked) !== original;
  // A form sends CRLF, JavaScript reads LF; the same text either way.
  return control.value.replace(/\r\n/g, "\n") !== original.replace(/\r\n/g, "\n");
}

function restore(control) {
  const original = control.dataset.original;
  if (original === undefined) return;
  if (control.type === "checkbox" || control.type === "radio") control.checked = original === "true";
  else control.value = original;
}

function controls(root) {
  return [...root.querySelectorAll("[data-original]")];
}

function paint(form) {
  let changed = 0;
  for (const row of form.querySelectorAll(".cmp-r[data-row]")) {
    const differs = "rowChanged" in row.dataset || controls(row).some(isChanged);
    row.classList.toggle("chg", differs);
    changed += differs;
  }
  const json = form.querySelector("textarea[data-json][data-original]");
  if (json && form.querySelector("[data-editor]")?.value === "json") changed = isChanged(json) ? Math.max(changed, 1) : 0;
  const text = changed === 0 ? "" : said(changed === 1 ? "oneChanged" : "someChanged", changed);
  form.querySelectorAll("[data-changed-count]").forEach((element) => {
    element.textContent = text;
    element.hidden = changed === 0;
  });
  const quiet = form.querySelectorAll(".cmp-r[data-row]:not(.chg, .doubt, .grp)").length;
  form.querySelectorAll("[data-unchanged-count]").forEach((element) => { element.textContent = quiet; });
  form.querySelectorAll("[data-reset-all]").forEach((element) => { element.hidden = changed === 0; });
  const left = form.querySelectorAll("[data-required] input:not(:checked)").length;
  form.querySelectorAll("[data-required-left]").forEach((element) => {
    element.textContent = left ? said("left", left) : said("noneLeft");
  });
  offer(form, changed);
}

let shown = { id: "", since: 0 };

// What is still to be done before something risky may run, "" when it may.
function unread(form) {
  if (shown.id !== form.dataset.review) {
    shown = { id: form.dataset.review, since: performance.now() };
    setTimeout(paintAll, 2050);
  }
  const gate = form.querySelector("[data-read-gate]");
  if (!gate) return "";
  const open = form.elements.namedItem("seen_end").value && performance.now() - shown.since > 2000;
  gate.hidden = Boolean(open);
  return open ? "" : said("readFirst");
}

// Nothing is filled while nothing is changed: approving is not the path already taken.
function offer(form, changed) {
  if (document.querySelector("[data-lease]")?.dataset.lost) return;
  const wait = unread(form);
  for (const button of form.querySelectorAll('[data-verdict="approve"]')) {
    button.disabled = changed > 0 || wait !== "";
    button.title = changed > 0 ? said(changed === 1 ? "resetOne" : "resetSome", changed) : wait;
  }
  for (const button of form.querySelectorAll('[data-verdict="correct"]')) {
    button.disabled = changed === 0 || wait !== "";
    button.title = changed > 0 ? wait : said("changeFirst");
    button.classList.toggle("act-main", changed > 0);
    button.classList.toggle("act-fix", changed === 0);
  }
}

function reset(form, root) {
  controls(root).forEach(restore);
  paint(form);
  // The live diff listens to input on the form.
  form.dispatchEvent(new Event("input", { bubbles: true }));
}

function showTab(form, name) {
  form.querySelectorAll("[data-panel]").forEach((panel) => { panel.hidden = panel.dataset.panel !== name; });
  form.querySelectorAll("[data-tab]").forEach((tab) => {
    if (tab.dataset.tab === name) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  });
  const editor = form.querySelector("[data-editor]");
  if (editor) editor.value = name;
  paint(form);
}

function paintAll() {
  document.querySelectorAll("form[data-review]").forEach(paint);
}

document.addEventListener("input", (event) => {
  const form = event.target.form ?? event.target.closest?.("form");
  if (form?.matches("[data-review]")) paint(form);
});

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("[data-reset-all], [data-reset-row], [data-tab], [data-toggle-unchanged]");
  const form = target?.closest("form[data-review]");
  if (!form) return;
  if (target.matches("[data-toggle-unchanged]")) {
    const open = form.querySelector(".cmp").classList.toggle("show-all");
    target.setAttribute("aria-expanded", String(open));
    return;
  }
  if (target.matches("[data-tab]")) {
    event.preventDefault();
    if (!target.hasAttribute("hx-post")) showTab(form, target.dataset.tab);
    return;
  }
  event.preventDefault();
  reset(form, target.matches("[data-reset-all]") ? form : target.closest(".cmp-r"));
});

document.addEventListener("end-seen", paintAll);
document.addEventListener("htmx:after:swap", paintAll);
paintAll();
