// What waits for a second person, on the page of approvals: `data-waiting` says which are shown. When
// it is others, the page's part is asked for anew; what is there still stays, with all typed into it.
"use strict";
(() => {
  let shown = document.getElementById("waiting").dataset.waiting;
  document.addEventListener("live", ({ detail }) => {
    if (!detail.name.startsWith("waiting_") || ["", shown].includes(detail.data)) return;
    shown = detail.data;
    htmx.ajax("GET", location.pathname, { target: "#waiting", select: "#waiting", swap: "outerHTML" });
  });
})();
