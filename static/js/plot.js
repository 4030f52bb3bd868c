// Charts: the values at the place under the pointer, in the line below the picture.
// Contract: figure[data-plot] holds .hit groups, each with a <title>; [data-plot-read] shows it while the pointer
// is over one, [data-plot-caption] otherwise. Without script the browser's own tooltip says the same.

function show(figure, words) {
  const read = figure.querySelector("[data-plot-read]");
  const caption = figure.querySelector("[data-plot-caption]");
  if (!read || !caption) return;
  read.textContent = words;
  read.hidden = !words;
  caption.hidden = Boolean(words);
}

document.addEventListener("pointermove", (event) => {
  if (!(event.target instanceof Element)) return;
  const figure = event.target.closest("[data-plot]");
  if (!figure) return;
  const strip = event.target.closest(".hit");
  show(figure, strip?.querySelector("title")?.textContent ?? "");
});

document.addEventListener("pointerout", (event) => {
  if (!(event.target instanceof Element)) return;
  const figure = event.target.closest("[data-plot]");
  const next = event.relatedTarget;
  if (figure && !(next instanceof Node && figure.contains(next))) show(figure, "");
});
