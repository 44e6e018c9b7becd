// Errors by cause: counted here from the columns at any threshold; what they cost was computed beforehand.

/** Count, by class, outcomes of labels and causes of predictions that reach the threshold; and who is taken for whom. */
function tally() {
  const { tolerance, threshold } = state;
  const outcomes = classes.map(() => [0, 0, 0, 0]);
  const causes = classes.map(() => [0, 0, 0, 0, 0]);
  const taken = classes.map(() => new Array(classes.length).fill(0));
  for (let row = 0; row < columns.label_label.length; row++) {
    const [label, outcome] = [columns.label_label[row], outcomeOf(row, tolerance, threshold)];
    outcomes[label][outcome] += 1;
    if (outcome === 2) taken[label][columns[`label_taken_${tolerance}`][row]] += 1;
  }
  const cause = columns[`spot_cause_${tolerance}`];
  for (let row = 0; row < cause.length; row++) {
    if (columns.spot_reached[row] > threshold) causes[columns.spot_label[row]][cause[row]] += 1;
  }
  return { outcomes, causes, taken };
}

/** Return what becomes of a label: the index into OUTCOMES. */
function outcomeOf(row, tolerance = state.tolerance, threshold = state.threshold) {
  if (columns[`label_found_${tolerance}`][row] > threshold) return 0;
  if (columns[`label_displaced_${tolerance}`][row] > threshold) return 1;
  return columns[`label_wrong_${tolerance}`][row] > threshold ? 2 : 3;
}

const totals = (table) => table[0].map((_, index) => table.reduce((sum, row) => sum + row[index], 0));
let counted = null;

function showErrors() {
  const update = () => (counted = tally());
  listen(["tolerance", "threshold"], update);
  update();
  const costs = el("div", { class: "card full" }), bars = el("div", { class: "card full scroll" });
  const drawCosts = () => costs.replaceChildren(...costTable());
  const drawBars = () => bars.replaceChildren(...classBars());
  listen(["tolerance", "threshold", "focus"], drawCosts);
  listen(["tolerance", "threshold"], drawBars);
  drawCosts();
  drawBars();
  const offsets = addChart("Histogram of displacements", ["tolerance", "threshold", "focus"], histogram);
  const confusion = addChart("Confusion matrix", ["tolerance", "threshold"], confusionMatrix, classes.length > 6 ? "chart big" : "chart");
  const text = `Every prediction has one cause and every label one outcome. They are judged at the tolerance and threshold chosen above; costs are exact: the metric is computed again without each kind of error.`;
  $("errors").append(head("errors", "Errors by cause", text), el("div", { class: "grid" }, costs, bars,
    el("div", { class: "card full" }, el("h3", {}, "How far off: prediction − label"), el("p", { class: "muted small", id: "bias" }), offsets),
    el("div", { class: "card full" }, el("h3", {}, "Confusion"), el("p", { class: "muted small" }, "Each row is a class of labels and adds up to 100 %; the last row counts predictions with no label near.", el("span", { class: "narrow" }, " Drag it sideways to see all.")), el("div", { class: "scroll" }, confusion))));
}

function costTable() {
  const of = (table) => (state.focus < 0 ? totals(table) : table[state.focus]);
  const [outcomes, causes] = [of(counted.outcomes), of(counted.causes)];
  const judged = summary.judged[state.tolerance];
  const cost = (error, score) => (state.focus < 0 ? judged.costs[error][score][0] : judged.costs[error][score][1][state.focus]);
  const errors = ["missed", ...CAUSES.slice(1)].map((error) => ({ error, number: error === "missed" ? outcomes[3] : causes[CAUSES.indexOf(error)], costs: [cost(error, 0), cost(error, 1)] }));
  errors.sort((a, b) => b.costs[0] - a.costs[0]);
  const most = Math.max(...errors.flatMap((each) => each.costs), 1e-9);
  const bar = (value, error) => el("td", {}, el("span", { class: "cell" }, el("span", {}, `${value < 0 ? "−" : "+"}${percent(Math.abs(value))}`), el("span", { class: "meter" }, el("span", { class: `fill ${slug(error)}`, style: `width:${(100 * Math.max(value, 0)) / most}%` }))));
  const rows = errors.map(({ error, number, costs }) => el("tr", { "data-error": error, "data-count": number },
    el("th", { scope: "row" }, el("span", { class: "name" }, key(error), error), el("span", { class: "muted small wide" }, `  ${MEANING[error]}`)), el("td", { class: "n" }, count(number)), bar(costs[0], error), bar(costs[1], error)));
  const score = state.focus < 0 ? "mAP" : "AP";
  const main = MAIN.startsWith("at_") ? `${score} ${NAMES[MAIN]}` : `${NAMES[MAIN]} ${score}`;
  const heads = ["cause", "number", `points of ${main} without it`, `points of ${score} at δ = ${state.tolerance} s`].map((name, index) => el("th", { class: index === 1 ? "n" : null, scope: "col" }, name));
  const select = classSelect("Class of the errors", (focus) => change({ focus }));
  select.classList.add("focus");
  select.value = state.focus;
  const found = `${count(outcomes[0])} of ${plural(outcomes.reduce((a, b) => a + b), "label")} found by ${plural(causes.reduce((a, b) => a + b), "prediction")}`;
  const best = level(judged.threshold).toFixed(2);
  return [el("div", { class: "row between", style: "margin-bottom:8px" }, el("h3", { style: "margin:0", id: "found" }, found), select),
    el("div", { class: "scroll" }, el("table", { id: "costs" }, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows))),
    el("p", { class: "note" }, `Points are gained over all thresholds when duplicates and background are dropped, displaced predictions moved, wrong classes corrected; labels missed at the threshold of the best F1, ${best}, get a prediction. They do not add up: what is corrected for one cause may be corrected for another.`)];
}

function classBars() {
  const stack = (numbers, names) => {
    const sum = Math.max(numbers.reduce((a, b) => a + b), 1);
    const text = names.map((name, index) => `${name} ${count(numbers[index])}`).join(", ");
    return el("span", { class: "stack", role: "img", "aria-label": text, title: text }, numbers.map((number, index) => (number ? el("i", { class: slug(names[index]), style: `flex:${number / sum}` }) : null)));
  };
  const line = (name, outcomes, causes, kind) => el("tr", { class: kind }, el("th", { scope: "row" }, name),
    el("td", { class: "n" }, count(outcomes.reduce((a, b) => a + b))), el("td", { style: "width:34%" }, stack(outcomes, OUTCOMES)),
    el("td", { class: "n wide" }, count(causes.reduce((a, b) => a + b))), el("td", { style: "width:34%" }, stack(causes, CAUSES)));
  const rows = [line("All", totals(counted.outcomes), totals(counted.causes), "ours"), ...classes.map((name, index) => line(name, counted.outcomes[index], counted.causes[index]))];
  const heads = [["", ""], ["labels", "n"], ["what became of them", ""], ["predictions", "n wide"], ["what they are", ""]];
  return [el("h3", {}, "By class"),
    el("p", { class: "row small muted" }, ["true positive", "displaced", "wrong class", "duplicate", "background", "missed"].map((name) => el("span", {}, key(name), name === "true positive" ? "found / true positive" : name))),
    el("table", { id: "bars" }, el("thead", {}, el("tr", {}, heads.map(([name, kind]) => el("th", { class: kind, scope: "col" }, name)))), el("tbody", {}, rows))];
}

function histogram() {
  const { tolerance, threshold, focus } = state;
  const values = [];
  for (let row = 0; row < columns.label_label.length; row++) {
    if ((focus < 0 || columns.label_label[row] === focus) && columns[`label_around_${tolerance}`][row] > threshold) values.push(columns[`label_offset_${tolerance}`][row] / 100);
  }
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  const signed = (value) => `${Math.abs(value).toFixed(2)} s ${value < 0 ? "early" : "late"}`;
  $("bias").textContent = values.length ? `${focus < 0 ? "All classes" : classes[focus]}: the median of ${count(values.length)} is ${signed(at(0.5))}; half of them lie between ${signed(at(0.25))} and ${signed(at(0.75))}. Most confident prediction within ±${(summary.around * tolerance) / 2} s of each label.` : "No predictions of the right class around labels.";
  const reach = (summary.around * tolerance) / 2;
  const bins = { start: -reach, end: reach, size: Math.max(tolerance / 20, 0.04) };
  const edge = (x) => ({ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color: cssColor("muted"), width: 1, dash: "dot" } });
  return { data: [{ type: "histogram", x: values, xbins: bins, marker: { color: cssColor("accent") }, hovertemplate: "%{x} s: %{y}<extra></extra>" }], layout: { xaxis: { title: "seconds; dotted: ±δ/2", range: [-reach, reach] }, yaxis: { title: "labels" }, shapes: [edge(-tolerance / 2), edge(tolerance / 2)], bargap: 0.04 } };
}

function confusionMatrix() {
  const across = [...classes, "displaced", "missed"], down = [...classes, "background"];
  const numbers = classes.map((_, row) => [...counted.taken[row].map((number, column) => (column === row ? counted.outcomes[row][0] : number)), counted.outcomes[row][1], counted.outcomes[row][3]]);
  numbers.push([...counted.causes.map((row) => row[4]), null, null]);
  const shares = numbers.map((row) => {
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((number) => (number === null || !sum ? null : (100 * number) / sum));
  });
  const text = shares.map((row, index) => row.map((share, column) => (index === classes.length ? (numbers[index][column] || "") : share && share >= 1 ? share.toFixed(0) : "")));
  const scale = [[0, cssColor("card")], [0.02, cssColor("soft")], [1, cssColor("accent")]];
  const cells = { type: "heatmap", z: shares, x: across, y: down, customdata: numbers, text, texttemplate: "%{text}", colorscale: scale, zmin: 0, zmax: 100, showscale: false, xgap: 1, ygap: 1, hoverongaps: false, hovertemplate: "%{y} → %{x}<br>%{customdata} (%{z:.1f} %)<extra></extra>" };
  const ticks = { tickfont: { size: 11 }, showgrid: false };
  return { data: [cells], layout: { xaxis: { ...ticks, tickangle: classes.length > 6 ? -40 : 0, side: "top" }, yaxis: { ...ticks, autorange: "reversed", title: "" }, margin: { t: 20, b: 10 } } };
}
