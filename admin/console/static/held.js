"use strict";
// What keeps a region as it is while messages arrive: Pause, selected text, a pressed pointer. lists.js has the rule of lists.

// Pause stops the list of predictions, nothing else.
let paused = false;
const pause = $("[data-pause]");
if (pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => { paused = !paused; pause.setAttribute("aria-pressed", String(paused)); });
  document.addEventListener("htmx-sse-before-message", event => {  // with "-" as htmx's metaCharacter (head.html)
    if (paused && !event.detail.message.event && event.detail.message.data.includes('"#feed"')) event.preventDefault();
  });
}

// A region that is held keeps what it shows, and shows what was sent meanwhile when it is let go: here, one in which text is
// selected, or the pointer is pressed, which may begin to select.
const note = $("#held"), chosen = getSelection();
const waiting = new Map();  // region to the HTML that it shows next
let kept = [];  // regions whose part of the last message waits
const isSelected = region => !chosen.isCollapsed && [chosen.anchorNode, chosen.focusNode].some(node => region.contains(node));
let pressed = null;  // where the pointer is, or was a moment ago: a press, or the first of two, ends on what it began on
const holders = [isSelected, region => region.contains(pressed)];  // true of a region that is held
const words = [() => [...waiting.keys()].some(isSelected) && note.dataset.selected];  // what is said meanwhile
const tell = () => {
  const text = words.map(each => each()).find(Boolean) || "";
  if (note && note.textContent !== text) note.textContent = text;
};
document.addEventListener("htmx-sse-before-message", event => {
  const { message } = event.detail;
  kept = [];
  if (message.event || event.defaultPrevented) return;
  message.data = message.data.replace(/<hx-partial hx-target="#([\w-]+)"[^>]*>([^]*?)<\/hx-partial>/g, (part, id, html) => {
    const region = document.getElementById(id);
    waiting.delete(region);
    if (!region || !holders.some(holds => holds(region))) return part;
    waiting.set(region, html);
    kept.push(region);
    return "";
  });
  if (!message.data.trim()) event.preventDefault();
  tell();
});
const letGo = () => {
  for (const [region, html] of waiting) {
    if (holders.some(holds => holds(region)) || (region.id === "feed" && paused)) continue;
    waiting.delete(region);
    region.innerHTML = html;
  }
  tell();
};
let soon;  // a press that has begun ends first
const leave = () => { clearTimeout(soon); soon = setTimeout(letGo, HASTY_MS); };
document.addEventListener("selectionchange", () => { if (waiting.size) leave(); });
document.addEventListener("pointerdown", event => { pressed = event.target; });
for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, () => {
  const target = pressed;
  setTimeout(() => { if (pressed === target) { pressed = null; letGo(); } }, HASTY_MS);
});

// The list of predictions, or only those that are alarms.
const only = $("[data-only]");
if (only) {
  only.hidden = false;
  $$("button", only).forEach((button, place, all) => button.addEventListener("click", () => {
    all.forEach(each => each.setAttribute("aria-pressed", String(each === button)));
    $("#feed").classList.toggle("only-alarms", place === 1);
  }));
}
