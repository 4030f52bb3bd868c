// What scripts say, in the language of the page: template#words holds it as data-NAME (templates/_words.html).
// said("updated", "20 s"): each "{}" is one of the values, in their order.
const words = document.getElementById("words")?.dataset ?? {};

export function said(name, ...values) {
  return (words[name] ?? "").replace(/{}/g, () => values.shift());
}
