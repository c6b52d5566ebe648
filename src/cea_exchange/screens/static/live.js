// Keeps a page as the market is: one stream of events, each a fragment that takes its place.
//   <body data-channels="status book.CEA24">  <div data-live="book.CEA24">...</div>
"use strict";
(() => {
  const STALE_MS = 4000;
  const RETRY_MS = [200, 500, 1000, 2000];
  const body = document.body;
  const names = (body.dataset.channels || "").split(" ").filter(Boolean);
  const note = document.getElementById("stale");
  let stream = null;
  let failures = 0;
  let heardAt = performance.now();
  let isFresh = true;

  function stale_show() {
    const isStale = names.length > 0 && (!isFresh || performance.now() - heardAt > STALE_MS);
    if ((document.documentElement.dataset.stale === "yes") === isStale) return;
    document.documentElement.dataset.stale = isStale ? "yes" : "no";
    note.textContent = isStale ? note.dataset.text : "";
  }

  // What has changed flashes once; who was typing or about to press goes on where they were.
  function place(element, html) {
    if (element.dataset.shown === html) return;
    element.dataset.shown = "";
    const before = new Map();
    element.querySelectorAll("[data-flash]").forEach((cell) => before.set(cell.id, cell.textContent));
    const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
    element.innerHTML = html;
    element.querySelectorAll("[data-flash]").forEach((cell) => {
      if (before.has(cell.id) && before.get(cell.id) !== cell.textContent) cell.classList.add("flash");
    });
    if (window.htmx) window.htmx.process(element);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  function heard(name, data) {
    heardAt = performance.now();
    failures = 0;
    if (name === "beat") {
      isFresh = JSON.parse(data).fresh;
      stale_show();
      return;
    }
    document.querySelectorAll(`[data-live="${name}"]`).forEach((element) => place(element, data));
    document.dispatchEvent(new CustomEvent("live", { detail: { name, data } }));
  }

  function open() {
    if (stream || names.length === 0) return;
    const query = names.map((name) => `c=${encodeURIComponent(name)}`).join("&");
    stream = new EventSource(`/stream?${query}&lang=${body.dataset.lang}`);
    for (const name of ["beat", ...names]) {
      stream.addEventListener(name, (event) => heard(name, event.data));
    }
    stream.addEventListener("error", () => {
      close();
      const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
      failures += 1;
      setTimeout(open, wait);
    });
  }

  // A form that could not be sent, or was not taken at all, must not look as if nothing had been.
  for (const kind of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(kind, ({ detail }) => {
      const text = detail.xhr && detail.xhr.status && detail.xhr.responseText;
      note.textContent = text && text.length < 300 && !text.includes("<") ? text : note.dataset.text;
    });
  }

  function close() {
    if (stream) stream.close();
    stream = null;
  }

  // On a phone the menu is wider than the page: where one is in it shall be seen.
  document.querySelector(".menu [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // A page that could not be made for want of a daemon is asked for anew, until it can be.
  if (body.dataset.again) setTimeout(() => location.reload(), 1000 * body.dataset.again);

  // A browser has six connections for a host: a page that nobody sees gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && body.dataset.hidden !== "keep") close();
    else open();
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  setInterval(stale_show, 500);
  open();
})();
