"use strict";
// What the charts of the overview and of a device share. Colors come from the sheet: a probe resolves light-dark() for the canvas.
const probe = document.body.appendChild(document.createElement("i"));
probe.hidden = true;
const color = name => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
const offset = clock ? Number(clock.dataset.offset || 0) : 0;
const figure = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 6 });
const figures = (_u, ticks) => ticks.map(value => value === null ? "" : value >= 1e7 ? figure.format(value / 1e6) + "M" : value >= 1e4 ? figure.format(value / 1e3) + "k" : figure.format(value));
const times = of => (chart, ticks) => ticks.map(tick => {  // none that the right edge would clip
  const { min, max } = chart.scales.x, text = of(tick);
  return (chart.width - 42) * (max - tick) / (max - min || 1) < 3.2 * text.length ? "" : text;
});
const axis = (size, more) => ({ stroke: color("ink-3"), font: "11px Geist", size, gap: 4, ticks: { show: false }, grid: { stroke: color("rule"), width: 1 }, ...more });
// The time and the values under the pointer, at the side where the pointer is not; `say` gets the columns and a row.
const few = new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 4 });
const short = value => value === null || value === undefined ? "–" : few.format(value);
const readout = say => {
  const line = document.createElement("p");
  line.className = "readout";
  return { hooks: { init: chart => { chart.over.append(line); }, setCursor: chart => {
    const row = chart.cursor.idx;
    line.textContent = row === null || row === undefined ? "" : say(chart.data, row);
    line.classList.toggle("left", chart.cursor.left > chart.over.clientWidth / 2);
  } } };
};
