// Lines over the last minutes: `data-lines` names the channel, `data-source` what was before,
// `data-columns` which columns, `data-names` what they are called, `data-unit` in what.
"use strict";
(() => {
  const KEPT = 900;
  const SHOWN_S = 60;
  // Below the chart stands what is at the pointer: one line, or more on a phone.
  const below = (element) => (element.querySelector(".u-legend")?.offsetHeight ?? 26) + 8;
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const clock = (s) =>
    new Date(s * 1000).toLocaleTimeString("en-GB", { timeZone: "Asia/Shanghai" });
  const INKS = ["--accent", "--up", "--warn"];
  const sources = new Map();

  // All charts of one source share its data: it is fetched, and told of news, once.
  function source(element) {
    const { source: address, lines: channel } = element.dataset;
    if (!sources.has(address)) {
      const found = { data: [], shows: [] };
      sources.set(address, found);
      document.addEventListener("live", ({ detail }) => {
        if (detail.name === channel) take(found, JSON.parse(detail.data));
      });
      fetch(address).then(async (answer) => {
        if (answer.ok) take(found, await answer.json());
        found.shows.forEach((show) => show());
      });
    }
    return sources.get(address);
  }

  function take(found, news) {
    if (!news[0] || news[0].length === 0) return;
    if (found.data.length === 0) found.data = news.map(() => []);
    const last = found.data[0].at(-1) ?? 0;
    const fresh = news[0].findIndex((at) => at > last);
    if (fresh < 0) return;
    found.data = found.data.map((column, at) => [...column, ...news[at].slice(fresh)].slice(-KEPT));
    found.shows.forEach((show) => show());
  }

  function begin(element) {
    const found = source(element);
    const columns = element.dataset.columns.split(" ").map(Number);
    const [time, ...names] = element.dataset.names.split("|");
    let chart = null;
    const chosen = () => [found.data[0], ...columns.map((column) => found.data[column])];

    function draw() {
      const axis = { stroke: style("--ink-soft"), grid: { stroke: style("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
      const written = (_, value) => (value == null ? "–" : `${value.toLocaleString("en-US")} ${element.dataset.unit}`);
      const series = names.map((label, at) => ({ label, stroke: style(INKS[at]), width: 1.6, spanGaps: true, points: { show: false }, value: written }));
      return new uPlot(
        {
          width: element.clientWidth - 12,
          height: element.clientHeight - below(element),
          series: [{ label: time, value: (_, at) => (at == null ? "–" : clock(at)) }, ...series],
          scales: { x: { time: true, range: (u) => [u.data[0][0], Math.max(u.data[0].at(-1), u.data[0][0] + SHOWN_S)] }, y: { range: (_, low, high) => [0, Math.max(1, high || 0) * 1.1] } },
          axes: [
            { ...axis, values: (_, marks) => marks.map(clock), space: 80 },
            { ...axis, size: 58 },
          ],
          cursor: { drag: { x: false, y: false } },
        },
        chosen(),
        element,
      );
    }
    function show() {
      const few = found.data.length === 0 || found.data[0].length < 2;
      element.classList.toggle("lines-empty", few);
      if (few) {
        element.textContent = element.dataset.empty;
        return;
      }
      if (chart) return chart.setData(chosen());
      element.textContent = "";
      chart = draw();
      requestAnimationFrame(fit);
    }
    found.shows.push(show);
    const fit = () => chart?.setSize({ width: element.clientWidth - 12, height: element.clientHeight - below(element) });
    new ResizeObserver(fit).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      if (chart) chart.destroy();
      chart = null;
      show();
    });
    show();
  }

  document.querySelectorAll("[data-lines]").forEach(begin);
})();
