// The ticket: an order of the book, or a price, is taken into it; a dialog opens with its content.
"use strict";
(() => {
  const field = (name) => document.querySelector(`#ticket [name="${name}"]`);

  document.addEventListener("click", (event) => {
    const taken = event.target.closest("[data-take]");
    if (!taken || !document.getElementById("ticket")) return;
    document.getElementById(`ticket-${taken.dataset.side}`).checked = true;
    field("price").value = taken.dataset.price;
    field("pick").value = taken.dataset.take;
    if (taken.dataset.tonnes) field("tonnes").value = taken.dataset.tonnes;
    field("tonnes").focus();
    field("tonnes").select();
    field("tonnes").dispatchEvent(new Event("input", { bubbles: true }));
  });

  // With the swap, not once it has settled: who has closed the dialog meanwhile would see it again.
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    const dialog = detail.target.closest("dialog");
    if (dialog && !dialog.open) dialog.showModal();
  });
})();
