"use strict";
// What the pages cannot do by HTML alone: the clock and its "not live since", Pause, dialogs, the marks of Classify.
// Without this file every page can be read and every form used.
const $ = (selector, root = document) => root.querySelector(selector), $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const say = text => { const line = $("#say"); if (line) line.textContent = text; };

// What takes the focus of a keyboard when a page is left for its next version.
const keyOf = each => each.id || (each.getAttribute("href") || each.form?.getAttribute("action")) + " " + each.textContent;
const remember = sent => { try { sessionStorage.setItem("sent", JSON.stringify({ at: Date.now(), ...sent })); } catch { /* the page works without it */ } };
const loadAgain = () => {
  if (document.activeElement !== document.body) remember({ key: keyOf(document.activeElement) });
  location.reload();
};

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
const LATE_MS = 3500, HASTY_MS = 400;
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
  const offered = $$("[data-open=finish], [data-open=cancel]");
  if (offered.length) new MutationObserver(() => {
    const focused = document.activeElement;
    offered.forEach(link => { link.hidden = !$(`[data-may=${link.dataset.open}]`, run); });
    if (offered.includes(focused) && focused.hidden) takeFocus($("h1"));
  }).observe(run, { childList: true, subtree: true });
}

// A selected model: when another one is selected, the page is loaded again.
const model = $("[data-model]");
if (model) stream?.addEventListener("selected", event => { if (event.detail.data !== model.dataset.model) location.reload(); });

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
document.addEventListener("submit", event => {
  if (!event.defaultPrevented) remember({ button: buttonOf(event.submitter, event.target), heading: headingOf(event.target) });
});
const refocus = sent => {
  const wrong = $("[aria-invalid]");
  if (document.activeElement !== document.body || $("[autofocus]")) return;
  const same = $$("form button").find(button => buttonOf(button, button.form) === sent.button);
  const menu = same && !same.checkVisibility() && same.closest("[popover]");
  const shown = menu ? $(`[popovertarget=${menu.id}]`) : same?.checkVisibility() ? same : null;
  const told = $("h2:is(#said, #done, #imp-done, #fresh, #out)"), left = sent.key && $$("a[href], button, [id]").find(each => keyOf(each) === sent.key);
  takeFocus(wrong || (same?.closest(".switches") && shown) || told || left || shown || (sent.heading && document.getElementById(sent.heading)) || $("h1"));
};
addEventListener("load", () => {  // a "#" in the address has taken the focus away by then
  try {
    const sent = JSON.parse(sessionStorage.getItem("sent"));
    sessionStorage.removeItem("sent");
    if (sent && Date.now() - sent.at < 30000) requestAnimationFrame(() => refocus(sent));
  } catch { /* without a store, the browser decides */ }
});

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

// Dialogs. A link with data-open leads to a page of the same words where there is no script.
document.addEventListener("click", event => {
  const link = event.target.closest("[data-open]"), dialog = link && document.getElementById(link.dataset.open);
  if (!dialog) return;
  event.preventDefault();
  dialog.showModal();
});
$$("dialog").forEach(dialog => dialog.addEventListener("close", () => {
  if (document.activeElement !== document.body && !dialog.contains(document.activeElement)) return;
  const link = $(`[data-open=${dialog.id}]`);  // the one that had the focus was sent again, or there is nothing left to ask
  takeFocus(link?.checkVisibility() ? link : $("h1"));
}));
$$("[data-close]").forEach(button => button.addEventListener("click", () => button.closest("dialog").close()));

// A form that was refused is on its page again, whose address replaces that of the form; a dialog is modal again.
if (document.body.dataset.address) history.replaceState(null, "", document.body.dataset.address);
$$("dialog[data-again]").forEach(dialog => {
  dialog.close();
  $(`[data-open=${dialog.id}]`)?.focus();  // has the focus again when the dialog is closed
  dialog.showModal();
});

// Costs of a run: the answer marks the fields that it could not read. After a press of the button the first has the focus.
const costs = $(".costform"), answered = $("#thr-answer");
if (costs) {
  let pressed = false;
  costs.addEventListener("submit", () => { pressed = true; });
  new MutationObserver(() => {
    const wrong = $$("input", costs).filter(input => {
      const said = $(`[data-at=${input.id}]`, answered), field = input.parentElement, why = document.createElement("p");
      $(".error", field)?.remove();
      field.classList.toggle("bad", Boolean(said));
      for (const name of ["aria-invalid", "aria-describedby"]) input.removeAttribute(name);
      if (!said) return false;
      Object.assign(why, { className: "error", id: input.id + "-why" }).append(...said.cloneNode(true).childNodes);
      field.append(why);
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", why.id);
      return true;
    });
    if (pressed) wrong[0]?.focus();
    pressed = false;
  }).observe(answered, { childList: true });
}

// A button that says how many are chosen, or how many readings a label would have. Without a number it says what it does.
$$("[data-chosen]").forEach(button => {
  const plain = button.textContent, { chosen, one, more } = button.dataset;
  const count = () => {
    const found = $$(`[name=${chosen}]:checked`, button.form).length;
    button.textContent = found > 1 ? more.replace("COUNT", found) : found ? one : plain;
  };
  button.form.addEventListener("change", count);
  button.form.addEventListener("input", event => {  // a name or notes are typed for a candidate that is to be saved
    const box = event.target.type !== "checkbox" && $(`[name=${chosen}]`, event.target.closest(".named") || button);
    if (box && !box.checked) { box.checked = true; count(); }
  });
  count();
});
$$("[data-ends]").forEach(box => {  // without an end, the field of the end says nothing
  const follow = () => { document.getElementById(box.dataset.ends).disabled = box.checked; };
  box.addEventListener("input", follow);
  follow();
});
// A label must be chosen or typed; without scripts, the server says so.
$$("[name=other]").forEach(other => {
  const follow = () => $$("[name=label]", other.form).forEach(each => { each.required = !other.value.trim(); });
  other.addEventListener("input", follow);
  follow();
});
$$("[data-readings]").forEach(button => {
  const plain = button.textContent;
  let soon, asked = 0;
  const ask = async () => {
    const own = ++asked, form = new FormData(button.form);
    if (!form.get("to")) return;  // until further notice
    const answer = await fetch(button.dataset.readings + "?" + new URLSearchParams(["device", "from", "to"].map(name => [name, form.get(name)])));
    const text = answer.ok && !answer.redirected ? await answer.text() : "";
    if (own === asked && text) button.textContent = text;
  };
  button.form.addEventListener("input", event => {
    if (event.target.name && !["device", "from", "to", "open"].includes(event.target.name)) return;
    asked++;
    button.textContent = plain;
    clearTimeout(soon);
    soon = setTimeout(() => ask().catch(() => {}), 300);
  });
  ask().catch(() => {});
});

// A file that is too large is refused before it is sent.
$$("[data-limit]").forEach(input => input.addEventListener("change", () => {
  input.setCustomValidity((input.files[0]?.size || 0) > Number(input.dataset.limit) ? input.dataset.large : "");
  input.reportValidity();
}));

// Copy buttons.
$$("[data-copy]").forEach(button => {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.lastChild.textContent = button.dataset.copied;
    say(button.dataset.copied);
  });
});

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
