// Puts the focus where the news is after a swap.
//
//   data-focus   the error summary or the heading of the next item: focused as soon as it arrives
function focusNews(root) {
  const news = root.matches?.("[data-focus]") ? root : root.querySelector?.("[data-focus]");
  if (!news || news.dataset.focused) return;
  news.dataset.focused = "yes";
  if (!news.hasAttribute("tabindex")) news.tabIndex = -1;
  news.focus({ preventScroll: false });
}

document.addEventListener("htmx:after:swap", () => {
  document.querySelectorAll("[data-focus]:not([data-focused])").forEach(focusNews);
});

const summary = document.querySelector(".errsum[data-focus]");
if (summary) focusNews(summary);
document.querySelectorAll("[data-focus]").forEach((element) => { element.dataset.focused = "yes"; });
