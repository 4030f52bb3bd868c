// The policy editor's sliders. A slider or number box with data-slides="ID" writes into the control of that id:
// the number itself, or data-before and the number where the control is a condition. What is written there by
// hand moves them, as 150 where it says 150.0. [data-sets="ID"][data-value] puts a value there. The form's input
// event asks what would change.

const digits = /-?\d+(?:\.\d+)?\s*$/;

function spread(target, from) {
  for (const each of document.querySelectorAll(`[data-slides="${CSS.escape(target.id)}"]`)) {
    if (each === from) continue;
    const number = digits.exec(target.value)?.[0].trim().replace(/\.0+$/, "");
    if (number !== undefined && target.value.startsWith(each.dataset.before)) each.value = number;
  }
}

document.addEventListener("input", (event) => {
  const moved = event.target;
  if (!(moved instanceof HTMLInputElement || moved instanceof HTMLTextAreaElement)) return;
  if (moved.dataset.slides === undefined) {
    if (moved.id) spread(moved, null);
    return;
  }
  const target = document.getElementById(moved.dataset.slides);
  if (!target || moved.value === "") return;
  target.value = (moved.dataset.before ?? "") + moved.value;
  spread(target, moved);
});

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-sets]") : null;
  const target = button && document.getElementById(button.dataset.sets);
  if (!target) return;
  target.value = button.dataset.value;
  target.dispatchEvent(new Event("input", { bubbles: true }));
});
