// Charts, drawn by Plotly once the first screen is there, and again when the state or the theme changes.

const charts = [];
let plotlyLoaded = null;

/** Unpack the library once; it is most of the file and not needed for the first screen. */
function loadPlotly() {
  plotlyLoaded ??= inflate("plotly").then((buffer) => {
    document.head.append(el("script", {}, new TextDecoder().decode(buffer)));
    return window.Plotly;
  });
  return plotlyLoaded;
}

/** Draw every chart, one after the other, so that the page answers in between. */
async function drawAll() {
  await loadPlotly();
  for (const chart of charts) {
    draw(chart);
    await new Promise((done) => setTimeout(done));
  }
}

/** Add a chart: `make` returns Plotly's { data, layout }; it is called again when a name in `names` changes. */
function addChart(label, names, make, kind = "chart") {
  const node = el("div", { class: kind, role: "img", "aria-label": label }, el("p", { class: "muted small" }, "…"));
  const chart = { node, make, drawn: false };
  charts.push(chart);
  listen(names, () => chart.drawn && draw(chart));
  return node;
}

function draw(chart) {
  const { data, layout } = chart.make();
  if (!chart.drawn) chart.node.replaceChildren();
  chart.drawn = true;
  window.Plotly.react(chart.node, data, styled(layout), { displayModeBar: false, responsive: true, scrollZoom: false });
}

const redrawCharts = () => charts.filter((chart) => chart.drawn).forEach(draw);

/** Give a layout the page's type and colours. */
function styled(layout) {
  const [ink, muted, line] = ["ink", "muted", "line"].map(cssColor);
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line, tickfont: { color: muted, size: 11.5 }, title: { font: { color: muted, size: 12.5 }, standoff: 8 }, automargin: true, fixedrange: true };
  const merged = (given = {}) => ({ ...axis, ...given, tickfont: { ...axis.tickfont, ...given.tickfont }, title: { ...axis.title, text: given.title ?? "" } });
  return {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: ink, size: 12.5 },
    margin: { l: 46, r: 12, t: 10, b: 44, ...layout.margin },
    hoverlabel: { bgcolor: ink, bordercolor: ink, font: { color: cssColor("bg"), size: 12.5 } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: muted, size: 12 }, ...layout.legend },
    xaxis: merged(layout.xaxis),
    yaxis: merged(layout.yaxis),
    dragmode: false,
  };
}

function showCurves() {
  const select = () => classSelect("Class of the curves", (focus) => change({ focus }));
  const delta = addChart("mAP over tolerance", ["focus"], deltaCurve);
  const curves = addChart("Precision over recall by class", ["focus", "tolerance"], precisionRecall);
  const chosen = select();
  listen(["focus"], () => document.querySelectorAll("select.focus").forEach((each) => (each.value = state.focus)));
  chosen.classList.add("focus");
  const title = el("span");
  const name = () => (title.textContent = `Precision and recall, δ = ${state.tolerance} s`);
  listen(["tolerance"], name);
  name();
  $("curves").append(head("curves", "Curves", "How the score grows with the tolerance δ, the full width within which a prediction counts; and how precision falls as more is found."),
    el("div", { class: "row", style: "margin-bottom:12px" }, el("label", { class: "small muted" }, "Look at "), chosen),
    el("div", { class: "grid" }, el("div", { class: "card" }, el("h3", {}, "mAP over tolerance"), delta), el("div", { class: "card" }, el("h3", {}, title), curves)));
}

function deltaCurve() {
  const x = summary.delta.map((_, index) => index + 1);
  const mean = (view) => summary.delta.map((row) => (100 * row[view].reduce((sum, value) => sum + value, 0)) / classes.length);
  const line = (name, y, color, width, dash) => ({ x, y, name, mode: "lines", line: { color, width, dash }, hovertemplate: `%{y:.1f} % at %{x} s<extra>${name}</extra>` });
  const views = hasUnshown ? [line("shown", mean(1), cssColor("duplicate"), 1.6), line("not shown", mean(2), cssColor("displaced"), 1.6)] : [];
  const data = [line("all", mean(0), cssColor("accent"), 3), ...views];
  if (state.focus >= 0) data.push(line(classes[state.focus], summary.delta.map((row) => 100 * row[0][state.focus]), cssColor("ink"), 2, "dot"));
  const band = (x0, x1, text) => ({ type: "rect", x0, x1, y0: 0, y1: 1, yref: "paper", fillcolor: cssColor("soft"), line: { width: 0 }, layer: "below", label: { text, textposition: "bottom center", font: { size: 11, color: cssColor("muted") } } });
  return { data, layout: { xaxis: { type: "log", tickvals: [1, 2, 3, 5, 10, 20, 30, 60], title: "tolerance δ, seconds" }, yaxis: { title: "mAP, %", rangemode: "tozero" }, shapes: [band(1, 5, "tight")], hovermode: "x unified" } };
}

function precisionRecall() {
  const [precision, recall] = ["precision", "recall"].map((name) => columns[`${name}_${state.tolerance}`]);
  const data = [...classes, "all classes together"].map((name, index) => {
    const points = [...Array(200).keys()].map((step) => 200 * index + step).filter((at) => precision[at] || recall[at]);
    const chosen = index === (state.focus < 0 ? classes.length : state.focus);
    const text = points.map((at) => level(at - 200 * index).toFixed(2));
    return { x: points.map((at) => recall[at] / 655.35), y: points.map((at) => precision[at] / 655.35), text, name, mode: "lines", showlegend: false, opacity: chosen ? 1 : 0.4, line: { color: cssColor(chosen ? "accent" : "muted"), width: chosen ? 3 : 1.2 }, hovertemplate: `precision %{y:.0f} %, recall %{x:.0f} %<br>threshold %{text}<extra>${name}</extra>` };
  });
  data.sort((a, b) => (a.line.width - b.line.width));
  return { data, layout: { xaxis: { title: "recall, %", range: [0, 101] }, yaxis: { title: "precision, %", range: [0, 103] }, hovermode: "closest" } };
}
