"use strict";
// The stream of a page: its clock and "not live since", a session that ended, and when the page is loaded again.

// A session that ends while a form is half filled: the page stays, and nothing is sent until somebody has signed in, as in another tab.
const out = $("#ended");
let isTyped = Boolean(document.body.dataset.address);
const endSession = has => {
  if (!out || out.hidden !== has) return;
  if (has) ($("dialog:modal") || document.body).append(out);
  out.hidden = !has;
};
document.addEventListener("input", () => { isTyped = true; }, true);
document.addEventListener("submit", event => {
  if (!out || out.hidden || event.target.method !== "post") return;
  event.preventDefault();
  ($("dialog:modal") || document.body).append(out);
  $("a", out).focus();
}, true);

// The stream. Its "tick" is the time of the plant, once a second; without it nothing on the page is fresh.
const LATE_MS = 3500;
const stream = $("#stream"), clock = $("#clock"), late = $("#late");
let wasLate = Boolean(late && !late.hidden), heard = wasLate ? -Infinity : performance.now();
// The time that the page or the last tick told, and when: until the next tick the clock goes on by itself.
let told = clock?.textContent, toldAt = performance.now();
const goOn = () => {
  const at = told.split(":").reduce((sum, part) => 60 * sum + Number(part), 0) + Math.floor((performance.now() - toldAt) / 1000);
  return [at / 3600 % 24, at / 60 % 60, at % 60].map(part => String(Math.floor(part)).padStart(2, "0")).join(":");
};
if (stream) {
  stream.addEventListener("tick", event => {
    heard = performance.now();
    endSession(false);
    if ($("[data-recovers]")) loadAgain();
    const back = $("[data-back]");
    if (back) { document.title = back.textContent = back.dataset.back; back.removeAttribute("data-back"); say(back.textContent); }
    if (clock) { clock.textContent = told = event.detail.data; toldAt = heard; }
  });
  stream.addEventListener("ended", event => event.detail.data || !isTyped ? loadAgain() : endSession(true));
  stream.addEventListener("htmx-sse-after-connection", () => setTimeout(() => {  // a window that opened hidden ends its stream too
    if (document.hidden) document.dispatchEvent(new Event("visibilitychange"));
  }));
  setInterval(() => {
    const isLate = !document.hidden && performance.now() - heard > LATE_MS;
    if (clock && !isLate && !document.hidden && performance.now() - toldAt > 1500) clock.textContent = goOn();
    if (isLate === wasLate) return;
    wasLate = isLate;
    document.body.classList.toggle("not-live", isLate);
    late.hidden = !isLate;
    if (isLate) { clock.textContent = told; late.textContent = stream.dataset.late.replace("TIME", told); say(late.textContent); }
  }, 500);
  document.addEventListener("visibilitychange", () => { if (!wasLate) heard = performance.now(); });
}

// A run in progress: when the trainer is free again, or has another run, the page is loaded again to show the result.
const run = $("[data-run]");
if (run) {
  stream?.addEventListener("idle", event => { if (event.detail.data !== run.dataset.run) loadAgain(); });
  // What can still be asked: to finish, while a candidate has ended and another one has not; to cancel, until models are registered.
  const offered = $$("[data-open=finish], [data-open=cancel]"), words = $$("#finish [data-trying]");
  if (offered.length) new MutationObserver(() => {
    const focused = document.activeElement;
    offered.forEach(link => { link.hidden = !$(`[data-may=${link.dataset.open}]`, run); });
    const tries = $("[data-may=finish]", run)?.dataset.now;
    if (tries) words.forEach(each => { each.hidden = each.dataset.trying !== tries; });
    if (offered.includes(focused) && focused.hidden) takeFocus($("h1"));
  }).observe(run, { childList: true, subtree: true });
}

// A selected model: when another one is selected, the page is loaded again.
const model = $("[data-model]");
if (model) {
  let isSent = false;  // a form of this page may have selected it: its answer is on the way, which a reload would cancel
  document.addEventListener("submit", event => { isSent = !event.defaultPrevented; });
  addEventListener("pageshow", () => { isSent = false; });
  stream?.addEventListener("selected", event => { if (!isSent && event.detail.data !== model.dataset.model) location.reload(); });
}

// What is still being loaded is looked at again, unless somebody has begun to fill the form.
if ($("[data-reload]")) {
  const again = setTimeout(() => loadAgain(), 3000);
  document.addEventListener("input", () => clearTimeout(again), { once: true });
}

// A new alarm is also said to those who cannot see the page.
const attention = $("#attention");
if (attention) {
  const who = () => $(".who a", attention)?.textContent || "";
  let before = who();
  new MutationObserver(() => {
    const now = who();
    if (now && now !== before) say($(".shout h2", attention).textContent + ": " + now);
    before = now;
  }).observe(attention, { childList: true });
}
