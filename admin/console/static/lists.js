"use strict";
// Live lists, with what console.js has. While the pointer is over a list, or the focus in it, its rows stay where they are:
// their cells change, and what moved, came or left is shown when the person leaves it.
const LISTS = ["list-rows", "attention", "states", "feed"].map(id => document.getElementById(id)).filter(Boolean);
const ROWS = "tbody tr, .also, .attention:not(.calm)";
const counts = new Map();  // list to how many of its devices moved
let over = null;
const listOf = target => LISTS.find(list => list.contains(target));
const rowsIn = root => $$(ROWS, root), nameOf = row => $("a[href]", row)?.getAttribute("href") || row.textContent;
holders.push(region => LISTS.includes(region) && (over === region || region.contains(document.activeElement)) && rowsIn(region).length);
words.push(() => {
  const held = [...waiting.keys()], count = Math.max(0, ...held.map(list => counts.get(list) || 0));
  return count ? (count > 1 ? note.dataset.more : note.dataset.one).replace("COUNT", count) : held.some(list => list.id === "feed") && !paused && note.dataset.feed;
});
// Makes an element like another one, and keeps the nodes of both that are alike: a press goes on in them.
const adapt = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== 1) { old.data = fresh.data; return; }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const leaving = [];
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    let same = at;
    if (next.nodeType === 1) while (same && same.nodeName !== next.nodeName) same = same.nextSibling;
    if (same?.nodeName !== next.nodeName) { old.insertBefore(next, at); continue; }
    for (; at !== same; at = at.nextSibling) leaving.push(at);
    adapt(same, next);
    at = same.nextSibling;
  }
  for (; at; at = at.nextSibling) leaving.push(at);
  leaving.forEach(each => each.remove());
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
document.addEventListener("htmx-sse-before-message", () => {
  for (const list of kept) {
    counts.delete(list);
    if (list.id !== "feed" && LISTS.includes(list) && !isSelected(list)) adaptRows(list, Object.assign(list.cloneNode(false), { innerHTML: waiting.get(list) }));
  }
  if (kept.length) tell();
});
document.addEventListener("pointerover", event => { over = listOf(event.target); leave(); });
document.addEventListener("pointerout", event => { if (!event.relatedTarget) { over = null; leave(); } });
document.addEventListener("focusout", leave);
