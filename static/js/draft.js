// Guards what is typed. The draft itself is saved by the server, with the live diff.
//
//   form[data-draft]           the form to guard
//   data-saves-draft           on the element whose htmx request saves it (the diff)
//   [data-draft-state]         says "Saving…", "Draft saved", "Not saved"
let unsaved = false;

function show(text) {
  document.querySelectorAll("[data-draft-state]").forEach((element) => { element.textContent = text; });
}

function saves(event) {
  return event.detail.ctx?.sourceElement?.closest?.("[data-saves-draft]") != null;
}

document.addEventListener("input", (event) => {
  if (!event.target.closest?.("form[data-draft]") && !event.target.form?.matches("form[data-draft]")) return;
  unsaved = true;
  show("Saving…");
});

document.addEventListener("htmx:after:request", (event) => {
  if (!saves(event)) return;
  const { status } = event.detail.ctx.response;
  // 422: the draft is kept as it is typed, though it could not run like this.
  unsaved = !(status < 400 || status === 422);
  show(unsaved ? "Not saved" : "Draft saved");
});

document.addEventListener("htmx:error", (event) => { if (saves(event)) show("Not saved"); });

// A verdict leaves the page on purpose, and so does the next item.
document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-draft]")) unsaved = false;
});
document.addEventListener("htmx:before:swap", (event) => {
  if (event.detail.ctx?.sourceElement?.closest?.("form[data-draft]") && !saves(event)) unsaved = false;
});

window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
