// Price and volume of a product: `data-chart` names its channel, `data-source` the minutes so far.
"use strict";
(() => {
  const DAYS = [1, 2, 7, 14, 30, 90, 180, 365].map((days) => days * 86400);
  const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120].map((minutes) => minutes * 60);
  // Below the chart stands what is at the pointer: one line, or more on a phone.
  const below = (element) => (element.querySelector(".u-legend")?.offsetHeight ?? 26) + 8;
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const yuan = (fen) => (fen / 100).toFixed(2);
  const clock = (s) =>
    new Date(s * 1000).toLocaleTimeString("en-GB", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit" });
  const day = (s) => new Date(s * 1000).toISOString().slice(0, 10);

  function draw(element, data) {
    const [timeName, priceName, tonnesName] = element.dataset.names.split("|");
    const written = element.dataset.days ? day : clock;
    const axis = { stroke: style("--ink-soft"), grid: { stroke: style("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    const isDays = Boolean(element.dataset.days);
    const half = isDays ? 43200 : 30;
    // Of a single minute uPlot itself would show a day, and prices from zero on.
    const around = (u) => (u.data[0].length ? [u.data[0][0] - half, u.data[0].at(-1) + half] : [null, null]);
    const beside = (u, low, high) => (low == null ? [null, null] : [low - room(low, high), high + room(low, high)]);
    const room = (low, high) => Math.max(20, (high - low) / 8);
    const volume = (u) => Math.max(1, ...u.data[2].map((tonnes) => tonnes || 0)) * 4;
    return new uPlot(
      {
        width: element.clientWidth - 12,
        height: element.clientHeight - below(element),
        series: [
          { label: timeName, value: (_, at) => (at == null ? "–" : written(at)) },
          { label: priceName, stroke: style("--accent"), width: 2, points: { show: data[0].length < 2 }, value: (_, fen) => (fen == null ? "–" : yuan(fen)) },
          { label: tonnesName, scale: "tonnes", stroke: style("--line-strong"), fill: style("--line"), paths: uPlot.paths.bars({ size: [0.7, 24] }), points: { show: false }, value: (_, tonnes) => (tonnes == null ? "–" : tonnes.toLocaleString("en-US")) },
        ],
        scales: { x: { time: true, range: around }, y: { range: beside }, tonnes: { range: (u) => [0, volume(u)] } },
        axes: [
          { ...axis, values: (_, marks) => marks.map(written), space: isDays ? 96 : 64, incrs: isDays ? DAYS : MINUTES },
          { ...axis, values: (_, marks) => marks.map(yuan), size: 58 },
        ],
        cursor: { drag: { x: false, y: false } },
      },
      data,
      element,
    );
  }

  function merged(data, news) {
    const all = data.map((column) => [...column]);
    news[0].forEach((at, index) => {
      const last = all[0].length - 1;
      const place = last >= 0 && all[0][last] === at ? last : all[0].lastIndexOf(at);
      const row = place >= 0 ? place : all[0].length;
      if (place < 0 && last >= 0 && at < all[0][last]) return;
      all.forEach((column, each) => (column[row] = news[each][index]));
    });
    return all;
  }

  async function begin(element) {
    let data = [[], [], []];
    let chart = null;
    function show() {
      if (data[0].length === 0) {
        element.textContent = element.dataset.empty;
        element.classList.add("chart-empty");
        return;
      }
      if (chart) return chart.setData(data);
      element.textContent = "";
      element.classList.remove("chart-empty");
      chart = draw(element, data);
      requestAnimationFrame(fit);
    }
    function again() {
      if (chart) chart.destroy();
      chart = null;
      show();
    }
    document.addEventListener("live", ({ detail }) => {
      if (detail.name !== element.dataset.chart) return;
      const news = JSON.parse(detail.data);
      data = news[0].length === 0 ? [[], [], []] : merged(data, news);
      if (news[0].length === 0) again();
      else show();
    });
    const fit = () => chart?.setSize({ width: element.clientWidth - 12, height: element.clientHeight - below(element) });
    new ResizeObserver(fit).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    const answer = await fetch(element.dataset.source);
    if (answer.ok) data = merged(await answer.json(), data);
    show();
  }

  document.querySelectorAll("[data-chart]").forEach(begin);
})();
