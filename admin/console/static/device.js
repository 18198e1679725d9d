"use strict";
// The page of a device, with what console.js and axes.js have.
// Its charts: a period, the values between least and greatest, labels, and the period of the form. Dragging across a chart fills the form.
const past = $("#device-points"), from = $("#label-from"), to = $("#label-to"), endless = $("#label-to-open");
if (past && window.uPlot) {
  let data = JSON.parse(past.textContent);
  const drawn = [], local = seconds => new Date((seconds + offset * 60) * 1000).toISOString().slice(0, 19);
  const second = value => Date.parse(value + "Z") / 1000 - offset * 60;
  const inPlant = seconds => new Date((seconds + offset * 60 + new Date(seconds * 1000).getTimezoneOffset() * 60) * 1000);  // days begin there
  const clockOf = seconds => data.to - data.from > 172800
    ? new Date((seconds + offset * 60) * 1000).toLocaleDateString(document.documentElement.lang, { day: "numeric", month: "short", timeZone: "UTC" })
    : local(seconds).slice(11, data.to - data.from > 1200 ? 16 : 19);
  const unbroken = columns => {  // a long pause breaks the line
    const steps = columns[0].slice(1).map((time, i) => time - columns[0][i]).sort((a, b) => a - b), pause = 4 * (steps[steps.length >> 1] || 0);
    const found = columns.map(() => []);
    columns[0].forEach((time, i) => {
      const last = found[0].at(-1);
      if (time - last > pause) found.forEach((column, j) => column.push(j ? null : (time + last) / 2));
      found.forEach((column, j) => column.push(columns[j][i]));
    });
    return found;
  };
  const bars = (chart, spans, paint) => {
    const pen = chart.ctx, { left, width, top, height } = chart.bbox;
    pen.save();
    for (const span of spans) {
      const [begin, end] = span.map(each => Math.min(Math.max(chart.valToPos(each, "x", true), left), left + width));
      paint(pen, begin, Math.max(end - begin, 2 * devicePixelRatio), top, height, span);
    }
    pen.restore();
  };
  const strip = chart => bars(chart, data.labels, (pen, x, width, top, _height, [, , label, isAlarm]) => {
    const k = devicePixelRatio;
    pen.fillStyle = color(isAlarm ? "alarm" : "accent");
    pen.fillRect(x, top, width, 4 * k);
    if (chart.root.parentNode !== drawn[0]?.[1] && drawn.length) return;
    pen.font = `${11 * k}px Geist`;
    pen.textBaseline = "top";
    pen.textAlign = "left";
    pen.fillStyle = color("ink-2");
    if (pen.measureText(label).width + 4 * k < width) pen.fillText(label, x + 2 * k, top + 6 * k);
  });
  const shade = chart => bars(chart, data.alarms, (pen, x, width, top, height) => {  // behind the line: when the device was in alarm
    pen.fillStyle = color("alarm-wash");
    pen.fillRect(x, top, width, height);
  });
  const pick = chart => {
    if (!from || chart.select.width < 2) return;
    from.value = local(Math.floor(chart.posToVal(chart.select.left, "x")));
    to.value = local(Math.ceil(chart.posToVal(chart.select.left + chart.select.width, "x")));
    endless.checked = to.disabled = false;
    mark();
    from.form.dispatchEvent(new Event("input"));
    say(`${from.value.replace("T", " ")} – ${to.value.replace("T", " ")}`);
  };
  const mark = () => {
    if (!from) return;
    const begin = second(from.value), end = endless.checked ? data.to : second(to.value);
    for (const [chart] of drawn) {
      const [a, b] = [begin, end].map(each => Math.min(Math.max(chart.valToPos(each, "x"), 0), chart.over.clientWidth));
      const isAll = a < 1 && b > chart.over.clientWidth - 2;  // a mark on everything says nothing
      chart.setSelect({ left: a || 0, top: 0, width: b > a && !isAll ? b - a : 0, height: chart.over.clientHeight }, false);
    }
  };
  const touch = chart => {  // a finger that moves along the time chooses a period; up and down it scrolls the page
    const over = chart.over;
    let begin = null;
    over.style.touchAction = "pan-y pinch-zoom";
    const choose = (event, isDone) => {
      const [a, b] = [begin, event.offsetX].map(x => Math.min(Math.max(x, 0), over.clientWidth)).sort((one, other) => one - other);
      chart.setSelect({ left: a, top: 0, width: b - a, height: over.clientHeight }, isDone);
    };
    over.addEventListener("pointerdown", event => {
      begin = event.pointerType === "touch" && event.isPrimary ? event.offsetX : null;
      if (begin !== null) over.setPointerCapture(event.pointerId);
    });
    over.addEventListener("pointermove", event => { if (begin !== null && event.isPrimary) choose(event, false); });
    over.addEventListener("pointerup", event => {
      if (begin === null || !event.isPrimary) return;
      if (Math.abs(event.offsetX - begin) < 8) mark(); else choose(event, true);  // less is a tap
      begin = null;
    });
    over.addEventListener("pointercancel", () => { if (begin !== null) { begin = null; mark(); } });
  };
  const columnsOf = box => {  // times, least values, greatest values, means
    const [low, unit, steps, means, below, above] = data.values[box.dataset.deviceChart] || [0, 1, [], [], [], []];
    let part = 0;
    const values = more => means.map((mean, i) => low + unit * (mean + more(i)));
    const times = steps.map(step => Math.min(data.from + ((part += step) + 0.5) * data.step, data.to));
    return unbroken([times, values(i => -below[i]), values(i => above[i]), values(() => 0)]);
  };
  const valueAt = ([time, low, high, mean], row) => {
    const [least, most, value] = [low, high, mean].map(each => short(each[row]));
    return `${local(time[row]).slice(data.to - data.from > 86400 ? 5 : 11).replace("T", " ")}: ${value}${least === most ? "" : ` (${least} – ${most})`}`;
  };
  const show = () => {
    drawn.splice(0).forEach(([chart]) => chart.destroy());
    const hidden = { points: { show: false }, width: 0 };
    $$("[data-device-chart]").filter(box => box.clientWidth).forEach(box => {  // the others are folded away
      const height = box.classList.contains("high") ? 240 : 104;
      box.replaceChildren();
      const chart = new uPlot({
        width: box.clientWidth, height, padding: [8, 2, 0, 0], legend: { show: false }, plugins: [readout(valueAt)],
        cursor: { y: false, sync: { key: "device" }, drag: { x: Boolean(from), y: false, setScale: false }, points: { size: 5 } },
        scales: { x: { time: true, range: () => [data.from, data.to] } }, hooks: { ready: [mark], drawClear: [shade], draw: [strip], setSelect: [pick] },
        series: [{}, hidden, hidden, { stroke: color("ink-2"), width: 1.5, points: { show: data.values[box.dataset.deviceChart]?.[2].length < 3 } }],
        bands: [{ series: [2, 1], fill: color("band") }], tzDate: inPlant,
        axes: [axis(22, { values: times(clockOf), space: 70 }), axis(34, { space: 32, values: figures })],
      }, columnsOf(box), box);
      chart.root.setAttribute("role", "img");
      chart.root.setAttribute("aria-label", box.dataset.label);
      drawn.push([chart, box]);
      if (from) touch(chart);
    });
  };
  if (from) {
    $$("[data-drag]").forEach(each => { each.hidden = false; });
    [from, to, endless].forEach(input => input.addEventListener("input", mark));
  }
  show();
  document.fonts?.ready.then(show);
  $$("[data-charts]").forEach(each => each.addEventListener("toggle", show));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  let soon;
  addEventListener("resize", () => { clearTimeout(soon); soon = setTimeout(show, 80); });
  const { points: path, every } = past.dataset, lane = $("#dev-lane");
  const follow = async () => {  // a period until now goes on
    if (document.hidden || wasLate) return;
    try {
      const answer = await fetch(path);
      if (answer.ok && !answer.redirected) data = await answer.json();
    } catch { return; }
    drawn.forEach(([chart, box]) => chart.setData(columnsOf(box)));
    if (data.lane !== undefined && !isSelected(lane)) lane.innerHTML = data.lane;
    mark();
  };
  const shownState = () => $("#dev-line .state")?.className;
  if (path) {
    setInterval(follow, 1000 * every);
    let before = shownState();
    new MutationObserver(() => {  // a change of the state is on the chart soon: the server keeps a history for a moment
      if (before === (before = shownState())) return;
      for (const wait of [0, 3000]) setTimeout(follow, wait);
    }).observe($("#dev-line"), { childList: true });
  }
}
