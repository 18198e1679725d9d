"use strict";
// Presses and the focus of a keyboard, when a region is sent again or a form leads to the next page.

// A press that was meant for the device, or for the button, shown a moment ago: the pointer or the focus was there already.
$$("#attention, #dev-actions").forEach(region => {
  const shown = () => region.id === "attention" ? $(".who a", region)?.textContent : region.textContent.replace(/\s+/g, " ").trim();
  let before = shown(), changed = -Infinity;
  new MutationObserver(() => {
    if (shown() !== before && (region.matches(":hover") || held?.region === region)) changed = performance.now();
    before = shown();
  }).observe(region, { childList: true });
  for (const kind of ["click", "submit"]) region.addEventListener(kind, event => { if (performance.now() - changed < HASTY_MS) event.preventDefault(); });
});

// A region that is sent again keeps the focus of a keyboard: on the same link, button or heading, else on its first link.
const SENT_AGAIN = "#watch, #attention, #steps, #states, #events, #rollout, #progress, #dev-line, #dev-actions, #dev-state, #dev-last, #dev-events, #list-head, #list-actions, #list-counts, #list-rows";
const takeFocus = (place, how) => {
  if (place.matches("h1, h2")) place.tabIndex = -1;
  place.focus(how);
};
let held = null;
document.addEventListener("focusin", event => {
  const region = event.target.closest(SENT_AGAIN);
  held = region && event.target !== region ? { region, link: event.target, key: keyOf(event.target) } : null;
});
document.addEventListener("pointerdown", () => { held = null; });
$$(SENT_AGAIN).forEach(region => new MutationObserver(() => {
  if (!held || held.region !== region || held.link.isConnected || document.activeElement !== document.body) return;
  const same = $$("a[href], button, [id]", region).find(each => keyOf(each) === held.key) || (region.id === "dev-actions" ? $("h1") : $("a[href]", region));
  if (same) takeFocus(same, { preventScroll: true });
}).observe(region, { childList: true }));

// After a form, the keyboard goes on at what tells the result, else at the same button of the new page, else at the heading of its region.
const buttonOf = (button, form) => [form.getAttribute("action"), button?.name, button?.value, button?.textContent.trim()].join(" ");
const headingOf = form => $("h1, h2", form.closest("section, .page-head") || document)?.id || "";
let byPointer = false;  // the last press
document.addEventListener("pointerdown", () => { byPointer = true; }, true);
document.addEventListener("keydown", () => {
  byPointer = false;
  document.body.classList.remove("by-pointer");
}, true);
document.addEventListener("submit", event => {
  if (!event.defaultPrevented) remember({ byPointer, button: buttonOf(event.submitter, event.target), heading: headingOf(event.target) });
});
const refocus = sent => {
  const wrong = $("[aria-invalid]");
  if (document.activeElement !== document.body || $("[autofocus]")) return;
  const same = $$("form button").find(button => buttonOf(button, button.form) === sent.button);
  const menu = same && !same.checkVisibility() && same.closest("[popover]");
  const shown = menu ? $(`[popovertarget=${menu.id}]`) : same?.checkVisibility() ? same : null;
  const told = $("h2:is(#said, #done, #imp-done, #fresh, #out)"), left = sent.key && $$("a[href], button, [id]").find(each => keyOf(each) === sent.key);
  document.body.classList.toggle("by-pointer", Boolean(sent.byPointer));  // a heading shows that it has the focus to a keyboard only
  takeFocus(wrong || (same?.closest(".switches") && shown) || told || left || shown || (sent.heading && document.getElementById(sent.heading)) || $("h1"));
};
addEventListener("load", () => {  // a "#" in the address has taken the focus away by then
  try {
    const sent = JSON.parse(sessionStorage.getItem("sent"));
    sessionStorage.removeItem("sent");
    if (sent && Date.now() - sent.at < 30000) requestAnimationFrame(() => refocus(sent));
  } catch { /* without a store, the browser decides */ }
});
