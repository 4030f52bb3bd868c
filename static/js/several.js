// Looking through several items: one card at a time. What was shown counts as seen; the server asks for it.
//
//   form[data-several]           holds a [data-card-box] for each item, with its input[name=looked]
//   [data-steps]                 the bar with [data-step="-1|1"], [data-seen-text] and [data-show-all]
//   [data-approve]               dead until every card was shown, or the number is typed in input[name=count]
// Without script all cards are on the page, in full.
import { said } from "./words.js";

const form = document.querySelector("form[data-several]");

function start() {
  const boxes = [...form.querySelectorAll("[data-card-box]")];
  const count = form.querySelector("[name=count]");
  const approve = form.querySelector("[data-approve]");
  const seen = new Set();
  let at = 0;
  let all = false;

  function paint() {
    boxes.forEach((box, index) => {
      box.hidden = !all && index !== at;
      if (!box.hidden) seen.add(index);
      box.querySelector("[name=looked]").disabled = !seen.has(index);
    });
    form.querySelector("[data-seen-text]").textContent = all
      ? said("allShown", boxes.length) : said("seen", at + 1, boxes.length, seen.size);
    const ready = seen.size === boxes.length || count.value.trim() === String(boxes.length);
    approve.disabled = !ready;
    approve.title = ready ? "" : said("lookFirst");
  }

  form.querySelector("[data-steps]").hidden = false;
  form.addEventListener("click", (event) => {
    const step = event.target.closest("[data-step]");
    if (step) at = Math.min(Math.max(at + Number(step.dataset.step), 0), boxes.length - 1);
    else if (event.target.closest("[data-show-all]")) all = true;
    else return;
    paint();
  });
  count.addEventListener("input", paint);
  paint();
}

if (form) start();
