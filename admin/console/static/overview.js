"use strict";
// The charts of the overview, with what console.js and axes.js have.
const CHARTS = {  // columns, colors, and what the values are called
  rate: points => [[points[0], points[1]], ["ink-2"], [""]],
  latency: points => [[points[0], points[2], points[3]], ["ink-2", "accent"], ["p50 ", "p99 "]],
};
const KEPT_POINTS = 180, HEIGHT = 172;
const moment = seconds => new Date((seconds + offset * 60) * 1000).toISOString().slice(11, 19);
const timeOfDay = seconds => moment(seconds).slice(0, 5);
const charts = [];
let points = null, shown = {};  // columns; by chart, the top of its axis and what it says of values above it
const arrows = chart => chart.series.slice(1).forEach((series, i) => {  // at the top, for each value above it
  const { ctx: pen, bbox: { top } } = chart, k = devicePixelRatio;
  pen.save();
  pen.fillStyle = series.stroke();
  chart.data[i + 1].forEach((value, row) => {
    if (value === null || value <= chart.scales.y.max) return;
    const x = chart.valToPos(chart.data[0][row], "x", true);
    pen.beginPath();
    pen.moveTo(x, top);
    pen.lineTo(x - 4 * k, top + 7 * k);
    pen.lineTo(x + 4 * k, top + 7 * k);
    pen.fill();
  });
  pen.restore();
});
const tellAbove = () => $$("[data-above]").forEach(line => {
  line.textContent = shown[line.dataset.above][1];
  line.hidden = !line.textContent;
});
function draw(box) {
  const name = box.dataset.chart, [data, strokes, names] = CHARTS[name](points);
  box.replaceChildren();
  const chart = new uPlot({
    width: box.clientWidth, height: HEIGHT, padding: [8, 2, 0, 0], legend: { show: false },
    plugins: [readout(([time, ...values], row) => `${moment(time[row])}: ${values.map((each, i) => names[i] + short(each[row])).join(", ")}`)],
    cursor: { y: false, sync: { key: "overview" }, drag: { x: false, y: false }, points: { size: 5 } },
    scales: { x: { time: true }, y: { range: () => [0, shown[name][0]] } }, hooks: { draw: [arrows] },
    series: [{}, ...strokes.map(stroke => ({ stroke: color(stroke), width: 1.5, points: { show: false } }))],
    axes: [axis(22, { values: times(timeOfDay), space: 60, incrs: [60, 120, 300, 600, 900] }), axis(40, { space: 32, values: figures })],
  }, data, box);
  chart.root.setAttribute("role", "img");
  chart.root.setAttribute("aria-label", box.dataset.label);
  charts.push([chart, box]);
}
function redraw() {
  charts.splice(0).forEach(([chart]) => chart.destroy());
  if (points && points[0].length > 1) $$("[data-chart]").forEach(draw);
}
function append({ columns, charts: next }) {
  shown = next;
  tellAbove();
  if (!points[0].length || columns[0][0] > points[0].at(-1)) {
    points = points.map((column, i) => [...column, ...columns[i]].slice(-KEPT_POINTS));
    if (!charts.length) redraw();
    for (const [chart, box] of charts) chart.setData(CHARTS[box.dataset.chart](points)[0]);
  }
}
const given = $("#points");
if (given && window.uPlot) {
  ({ columns: points, charts: shown } = JSON.parse(given.textContent));
  redraw();
  stream?.addEventListener("point", event => append(JSON.parse(event.detail.data)));
  document.fonts?.ready.then(redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let wait;
  addEventListener("resize", () => {
    clearTimeout(wait);
    wait = setTimeout(() => charts.forEach(([chart, box]) => chart.setSize({ width: box.clientWidth, height: HEIGHT })), 80);
  });
}
