"use strict";
// The page of Classify, with what console.js has.

// A number as it is typed; NaN if it can be read in two ways (as number_of on the server).
const number = text => {
  text = text.replace("−", "-").replace(/\s/g, "");
  const [group, decimal] = document.documentElement.lang === "pt-BR" ? [".", ","] : [",", "."];
  const grouped = /^[+-]?[1-9]\d{0,2}(X\d{3})+$/.source.replace("X", "\\" + group);
  if (RegExp(grouped).test(text)) return NaN;
  if (text.includes(group) && text.includes(decimal)) text = text.replaceAll(group, "");
  text = text.replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
};

// Classify: the mark follows the input on its own scale, and says when training never saw such a value.
$$(".input-row").forEach(row => {
  const input = $("input", row), svg = $("svg[data-scale]", row), warn = $(".warn", row);
  if (!input || !svg) return;
  const [a, b, low, high] = svg.dataset.scale.split(",").map(Number), marker = $("[data-marker]", svg);
  input.addEventListener("input", () => {
    const value = number(input.value), isNumber = Number.isFinite(value), isOut = value < low || value > high;
    marker.setAttribute("visibility", isNumber ? "visible" : "hidden");
    if (isNumber) marker.setAttribute("transform", `translate(${8 + 384 * (Math.min(Math.max(value, a), b) - a) / (b - a)} 0)`);
    marker.setAttribute("class", isOut ? "p-watchfill" : "p-fill");
    row.classList.toggle("out", isOut);
    if (warn) warn.hidden = !isOut;
  });
});

// An answer is of the values and the model that were sent: once the form says something else, it is marked as old.
const old = $("#old");
old?.closest("form").addEventListener("input", event => {
  const isOld = $$("input:not([type=hidden])", event.currentTarget).some(each => each.type === "radio" ? each.checked !== each.defaultChecked : each.value !== each.defaultValue);
  old.hidden = !isOld;
  old.closest("section").classList.toggle("is-old", isOld);
});
