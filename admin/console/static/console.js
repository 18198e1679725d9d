"use strict";
// What the scripts of all pages share. They do what HTML alone cannot: without them every page can be read and every form used.
const $ = (selector, root = document) => root.querySelector(selector), $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const HASTY_MS = 400;  // a press so soon after a change may be meant for what was there before
const say = text => { const line = $("#say"); if (line) line.textContent = text; };

// What takes the focus of a keyboard when a page is left for its next version.
const keyOf = each => each.id || (each.getAttribute("href") || each.form?.getAttribute("action")) + " " + each.textContent;
const remember = sent => { try { sessionStorage.setItem("sent", JSON.stringify({ at: Date.now(), ...sent })); } catch { /* the page works without it */ } };
const loadAgain = () => {
  if (document.activeElement !== document.body) remember({ key: keyOf(document.activeElement) });
  location.reload();
};
