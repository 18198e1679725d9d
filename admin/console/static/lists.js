"use strict";
// Live lists, with what console.js has. While the pointer is over a list, or the focus in it, its rows stay where they are:
// their cells change, and what moved, came or left is shown when the person leaves it.
const LISTS = ["list-rows", "attention", "states", "feed"].map(id => document.getElementById(id)).filter(Boolean);
const ROWS = "tbody tr, .also, .attention:not(.calm)", note = $("#held");
const waiting = new Map();  // list to what it shows next
const counts = new Map();  // list to how many of its devices moved
let over = null;
const listOf = target => LISTS.find(list => list.contains(target));
const isHeld = list => list && (over === list || list.contains(document.activeElement));
const rowsIn = root => $$(ROWS, root), nameOf = row => $("a[href]", row)?.getAttribute("href") || row.textContent;
const tell = () => {
  const count = Math.max(0, ...counts.values());
  const text = count ? (count > 1 ? note.dataset.more : note.dataset.one).replace("COUNT", count) : "";
  if (note.textContent !== text) note.textContent = text;
};
// Makes an element like another one, and keeps the nodes of both that are alike: a press goes on in them.
const adapt = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== 1) { old.data = fresh.data; return; }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const olds = [...old.childNodes], news = [...fresh.childNodes];
  if (olds.length === news.length && olds.every((each, i) => each.nodeName === news[i].nodeName)) olds.forEach((each, i) => adapt(each, news[i]));
  else old.replaceChildren(...news);
};
const withoutBlanks = parent => [...parent.childNodes].forEach(each => { if (each.nodeType === 3 && !each.data.trim()) each.remove(); });
// The fewest rows that must move, so that the others are in the new order.
const movesOf = places => {
  const longest = places.map(() => 1);
  places.forEach((place, i) => { for (let j = 0; j < i; j++) if (places[j] < place) longest[i] = Math.max(longest[i], longest[j] + 1); });
  return places.length - Math.max(0, ...longest);
};
const adaptRows = (list, fresh) => {
  const rows = rowsIn(list), parent = rows[0].parentNode, news = rowsIn(fresh), names = news.map(nameOf);
  const place = parent === list ? fresh : $(parent.localName, fresh), left = new Set(names), places = [];
  let gone = 0;
  const wanted = rows.map(row => {
    const at = names.indexOf(nameOf(row));
    if (at >= 0) { left.delete(names[at]); places.push(at); } else gone++;
    if (at >= 0 && news[at].nodeName === row.nodeName) return news[at];
    const kept = row.cloneNode(true);
    kept.classList.toggle("gone", at < 0);
    return kept;
  });
  counts.set(list, movesOf(places) + Math.max(left.size, gone));
  if (!place) return;
  $$(ROWS + ", .attention", fresh).forEach(each => each.remove());
  withoutBlanks(place);
  withoutBlanks(parent);
  place.append(...wanted);
  adapt(list, Object.assign(fresh, { id: list.id }));
};
document.addEventListener("htmx-sse-before-message", event => {
  const { message } = event.detail, stop = event.defaultPrevented;
  if (message.event || stop) return;
  const sent = document.createElement("template");
  for (const list of LISTS) {
    if (!message.data.includes(`"#${list.id}"`)) continue;
    waiting.delete(list);
    counts.delete(list);
    if (!isHeld(list) || !rowsIn(list).length) continue;
    sent.innerHTML ||= message.data;
    const part = $(`hx-partial[hx-target="#${list.id}"]`, sent.content);
    part.remove();
    waiting.set(list, part);
    if (list.id !== "feed") adaptRows(list, Object.assign(list.cloneNode(false), { innerHTML: part.innerHTML }));
    message.data = sent.innerHTML;
    if (!message.data.trim()) event.preventDefault();
  }
  tell();
});
const letGo = () => {
  for (const [list, part] of waiting) {
    if (isHeld(list) || (list.id === "feed" && paused)) continue;
    waiting.delete(list);
    counts.delete(list);
    list.replaceChildren(...part.childNodes);
  }
  tell();
};
let soon;  // a press that has begun ends first
const leave = () => { clearTimeout(soon); soon = setTimeout(letGo, HASTY_MS); };
document.addEventListener("pointerover", event => { over = listOf(event.target); leave(); });
document.addEventListener("pointerout", event => { if (!event.relatedTarget) { over = null; leave(); } });
document.addEventListener("focusout", leave);
