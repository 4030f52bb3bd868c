// The reviewer's version beside the proposal: what is changed, and which verdict that leaves.
//
//   form[data-review]                  one item
//   .cmp-r[data-row]                   one field: gets the class chg while its value differs
//   [data-original="VALUE"]            on each control: the agent's value as the form would send it;
//                                      "true"/"false" for a checkbox or a radio; absent: not compared
//   data-row-changed                   on a row: the server says it differs (lists that grew or shrank)
//   [data-reset-row], [data-reset-all] buttons that put the agent's values back
//   [data-changed-count]               "2 fields changed", empty without
//   [data-verdict="approve"]           dead while anything is changed (its title says why)
//   [data-verdict="correct"]           dead while nothing is; filled (act-main) when something is
//   [data-tab="form|json"], [data-panel="form|json"], input[data-editor]
//                                      the two editors: the tab shows its panel and tells the server, by the
//                                      value of [data-editor], which one holds the truth. Where a tab carries
//                                      hx-post, the server converts; what is invalid stays where it is.
//   [data-required-left]               how many boxes of [data-required] are not ticked yet
//   [data-toggle-unchanged]            small screens: shows the unchanged fields as well
import "./attention.js";
import "./draft.js";
import "./lease.js";

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
  const text = changed === 0 ? "" : `${changed} ${changed === 1 ? "field" : "fields"} changed`;
  form.querySelectorAll("[data-changed-count]").forEach((element) => {
    element.textContent = text;
    element.hidden = changed === 0;
  });
  form.querySelectorAll("[data-reset-all]").forEach((element) => { element.hidden = changed === 0; });
  const left = form.querySelectorAll("[data-required] input:not(:checked)").length;
  form.querySelectorAll("[data-required-left]").forEach((element) => {
    element.textContent = left ? `Check list: ${left} left` : "Check list done";
  });
  offer(form, changed);
}

// Nothing is filled while nothing is changed: approving is not the path already taken.
function offer(form, changed) {
  if (document.querySelector("[data-lease]")?.dataset.lost) return;
  const noun = changed === 1 ? "1 field" : `${changed} fields`;
  for (const button of form.querySelectorAll('[data-verdict="approve"]')) {
    button.disabled = changed > 0;
    button.title = changed > 0 ? `You changed ${noun}. Reset to approve as it is.` : "";
  }
  for (const button of form.querySelectorAll('[data-verdict="correct"]')) {
    button.disabled = changed === 0;
    button.title = changed > 0 ? "" : "Change a field first.";
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

document.addEventListener("htmx:after:swap", paintAll);
paintAll();
