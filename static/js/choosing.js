// Choosing rows of a list for a form that acts on all of them.
//   form[data-choosing]          the form; its checkboxes are elsewhere and point at it by form="id"
//   [data-chosen-count]          how many are chosen
//   input[data-choose-all]       chooses every row of the page, or none

const form = document.querySelector("form[data-choosing]");
const boxes = () => [...document.querySelectorAll(`input[type=checkbox][form="${form.id}"]`)];

function count() {
  const chosen = boxes().filter((box) => box.checked).length;
  form.querySelectorAll("[data-chosen-count]").forEach((element) => { element.textContent = String(chosen); });
  form.querySelectorAll("button").forEach((button) => { button.disabled = chosen === 0; });
  const all = document.querySelector("[data-choose-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  }
}

if (form) {
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-choose-all]")) boxes().forEach((box) => { box.checked = event.target.checked; });
    if (event.target.type === "checkbox") count();
  });
  addEventListener("pageshow", count);
  count();
}
