// The keyboard: what has `data-key` is pressed, or where it is typed into, gets the focus.
"use strict";
(() => {
  const typing = (element) =>
    element.matches("input:not([type=checkbox]):not([type=radio]), textarea, select");

  function focus(element) {
    element.focus();
    if (element.select) element.select();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") {
      const dialog = document.querySelector("dialog[open]");
      if (dialog) dialog.close();
      else if (typing(document.activeElement)) document.activeElement.blur();
      return;
    }
    if (typing(document.activeElement)) return;
    const found = [...document.querySelectorAll("[data-key]")].find(
      (element) => element.dataset.key === event.key && !element.disabled,
    );
    if (!found) return;
    event.preventDefault();
    if (typing(found)) focus(found);
    else if ("focus" in found.dataset) found.focus();
    else found.click();
    if (found.dataset.then) focus(document.getElementById(found.dataset.then));
  });

  // Buttons of one kind, `data-list`, are walked through with the arrows.
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const list = document.activeElement.dataset.list;
    if (!step || !list) return;
    event.preventDefault();
    const all = [...document.querySelectorAll(`[data-list="${list}"]`)];
    const next = all[all.indexOf(document.activeElement) + step];
    if (next) next.focus();
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
    const closer = event.target.closest("[data-closes]");
    if (closer) closer.closest("dialog").close();
  });
})();
