"use strict";
// Dialogs, and forms that check, count and mark before they are sent.

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
  const plain = button.textContent, overlap = $("[data-overlap]", button.form);
  let soon, asked = 0;
  const ask = async () => {
    const own = ++asked, form = new FormData(button.form);
    if (!form.get("to")) return;  // until further notice
    const answer = await fetch(button.dataset.readings + "?" + new URLSearchParams(["device", "from", "to"].map(name => [name, form.get(name)])));
    const [text, others] = answer.ok && !answer.redirected ? (await answer.text()).split("\n") : [];
    if (own !== asked) return;
    if (text) button.textContent = text;
    overlap.textContent = others || "";
    overlap.hidden = !others;
  };
  button.form.addEventListener("input", event => {
    if (event.target.name && !["device", "from", "to", "open"].includes(event.target.name)) return;
    asked++;
    button.textContent = plain;
    overlap.hidden = true;
    clearTimeout(soon);
    soon = setTimeout(() => ask().catch(() => {}), 300);
  });
  ask().catch(() => {});
});

// A button that says what is chosen, such as "Shelve for 1 h"; with a time that was typed instead, only what it does.
$$("form:has([data-says])").forEach(form => {
  const button = $("button[type=submit]", form), plain = button.textContent;
  const follow = () => { button.textContent = form.elements.until.value ? plain : $("[data-says]:checked", form).dataset.says; };
  form.addEventListener("input", follow);
  follow();
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
