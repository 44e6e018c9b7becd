// The first screen: scores, what made them, how others score; then the table of classes.

const NAMES = { tight: "tight", loose: "loose", at_1: "at 1 s", at_2: "at 2 s", at_3: "at 3 s", at_4: "at 4 s", at_5: "at 5 s", frames: "within frames" };
for (const name of Object.keys(summary.metrics ?? {})) if (name.startsWith("within_")) NAMES[name] = `within ±${name.slice(7)} frames`;
const [MAIN, MAIN_VIEW] = summary.monitor; // such as "tight" and "" or "_shown"

function showScores() {
  $("subtitle").textContent = summary.subtitle;
  const metrics = summary.metrics;
  if (!metrics) return showUnscored();
  const main = metrics[MAIN][`map${MAIN_VIEW}`];
  const views = (name) => {
    const parts = ["shown", "unshown"].filter((view) => hasUnshown && Number.isFinite(metrics[name][`map_${view}`]));
    return parts.map((view) => `${percent(metrics[name][`map_${view}`])} ${view}`).join(" · ");
  };
  const byTeam = MAIN_VIEW.startsWith("_team");
  const tiles = Object.keys(NAMES).filter((name) => (byTeam || name !== MAIN) && metrics[name]).map((name) =>
    el("div", {}, el("dt", {}, NAMES[name]), el("dd", {}, percent(metrics[name].map))));
  const { micro, macro, threshold, frames, seconds } = summary.f1;
  const f1 = [["F1, micro", micro.f1, `precision ${percent(micro.precision)}, recall ${percent(micro.recall)}`], ["F1, macro", macro, "mean of the classes"]];
  tiles.push(...f1.map(([name, value, more]) => el("div", { title: `at a threshold of ${threshold.toFixed(3)}, within ±${frames} frames of the metric (${Number(seconds.toFixed(2))} s): ${more}` }, el("dt", {}, name), el("dd", {}, percent(value), el("small", {}, `at ${threshold.toFixed(2)}`)))));
  const score = el("div", { class: "card" },
    el("p", { class: "muted" }, mainName()),
    el("p", { class: "headline" }, percent(main, 2), el("small", {}, " %")),
    el("p", { class: "muted small" }, views(MAIN)),
    el("dl", { class: "tiles" }, tiles),
    el("p", { class: "made" }, el("strong", {}, "Post-processing "), summary.postprocess || "not known"));
  $("scores").append(head("scores", "Scores", summary.scored), el("div", { class: "hero" }, summary.published.length ? el("div", { class: "pile" }, score, lost()) : score, comparison()));
  showSystems();
  showClasses(metrics);
}

/** Compare several systems: the mAP at every tolerance, then each class by the score that heads the page. */
function showSystems() {
  const { systems } = summary;
  if (!systems.length) return;
  const best = (value) => Math.max(...systems.map((each) => value(each) ?? -1));
  const few = (name) => (/^at_[2345]$/.test(name) && name !== MAIN ? "n wide" : "n"); // on phones
  const cell = (value, most, kind = "n") => el("td", { class: kind, "data-sort": value ?? -1 }, value === null || value === undefined ? "–" : value === most ? el("strong", {}, percent(value)) : percent(value));
  const names = Object.keys(systems[0].map);
  const scores = systems.map((each) => el("tr", {}, el("th", { scope: "row" }, each.name), names.map((name) => cell(each.map[name], best((other) => other.map[name]), few(name)))));
  const rows = classes.map((name, index) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "n wide" }, count(summary.spots[0][index])),
    systems.map((each) => cell(each.per_class[name], best((other) => other.per_class[name])))));
  const table = (heads, body) => el("div", { class: "card scroll" }, sortable(el("table", {}, el("thead", {}, el("tr", {}, heads.map(([name, kind]) => el("th", { class: kind, scope: "col" }, name)))), el("tbody", {}, body))));
  $("systems").append(head("systems", "Systems", `The same games, in percent, the best in bold; all other sections are of ${systems[0].name}. spotter evaluate says how sure the differences are.`),
    el("div", { class: "pile" }, table([["mAP", ""], ...names.map((name) => [NAMES[name], few(name)])], scores), table([[`AP, ${NAMES[MAIN]}`, ""], ["spots", "n wide"], ...systems.map((each) => [each.name, "n"])], rows)));
}

function mainName() {
  if (MAIN_VIEW.startsWith("_team")) return `Team-mAP ${NAMES[MAIN]}${MAIN_VIEW === "_team" ? "" : ", of actions that have labels"}`;
  return /^(at|within)_/.test(MAIN) ? `mAP ${NAMES[MAIN]}` : `Average-mAP, ${NAMES[MAIN]}${MAIN_VIEW.replace("_", ", ")}`;
}

function showUnscored() {
  if (!summary.postprocess && !summary.published.length) return;
  const text = `No labels, so no scores. ${summary.published.length ? "Published scores on this split stand below." : ""}`;
  $("scores").append(head("scores", "Predictions", text), el("div", { class: "card" },
    summary.postprocess ? el("p", {}, el("strong", {}, "Post-processing "), summary.postprocess) : null,
    summary.published.length ? comparison() : null));
}

/** List published systems on the same split with ours among them, best last by the main score. */
function comparison() {
  if (!summary.published.length) return lost();
  const card = el("div", { class: "card" }, el("h3", {}, "Published on this split"));
  const shown = ["tight", "loose", "at_1"].filter((name) => name === MAIN || summary.published.some((row) => name in row));
  const own = summary.metrics && { system: "these predictions", ours: true, ...Object.fromEntries(shown.map((name) => [name, 100 * summary.metrics[name].map])) };
  const rows = [...summary.published, ...(own ? [own] : [])];
  const order = (row) => row[MAIN] ?? -1;
  rows.sort((a, b) => order(b) - order(a));
  const sources = [...new Set(summary.published.map((row) => row.source))];
  const written = (row, name) => (row.ours ? row[name].toFixed(2) : String(row[name]));
  const cells = (row) => shown.map((name) => el("td", {}, el("span", { class: "cell" }, el("span", {}, row[name] === undefined ? "–" : written(row, name)),
    row[name] === undefined ? "" : el("span", { class: "meter" }, el("span", { class: "fill", style: `width:${row[name]}%` })))));
  const body = rows.map((row) => el("tr", { class: row.ours ? "ours" : null },
    el("th", { scope: "row" }, row.system, row.ours ? null : [el("span", { class: "muted small wide" }, `  ${row.input}`), el("sup", { class: "muted" }, sources.indexOf(row.source) + 1)]), cells(row)));
  card.append(el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "system"), shown.map((name) => el("th", { class: "metered" }, NAMES[name])))), el("tbody", {}, body))));
  const notes = sources.map((source, index) => [el("sup", {}, index + 1), ` ${source}${index === sources.length - 1 ? ". " : ",  "}`]);
  card.append(el("p", { class: "note" }, notes, "Inputs, training data and post-processing differ."));
  return card;
}

/** Where nothing is published, say what each kind of error costs. */
function lost() {
  const judged = summary.judged[summary.tolerance];
  const costs = Object.entries(judged.costs).map(([error, [[total]]]) => [error, total]).sort((a, b) => b[1] - a[1]);
  const rows = costs.map(([error, total]) => el("tr", {}, el("th", { scope: "row" }, key(error), error),
    el("td", { style: "width:55%" }, el("span", { class: "cell" }, el("span", {}, `+${percent(Math.max(total, 0))}`), el("span", { class: "meter" }, el("span", { class: `fill ${slug(error)}`, style: `width:${(100 * Math.max(total, 0)) / Math.max(costs[0][1], 1e-9)}%` }))))));
  return el("div", { class: "card" }, el("h3", {}, "Points lost to each kind of error"), el("table", {}, el("tbody", {}, rows)),
    el("p", { class: "note" }, `Judged at δ = ${summary.tolerance} s; more below. ${summary.published.length ? "" : summary.unpublished}`));
}

function showClasses(metrics) {
  const views = ["tight", "loose"], framed = metrics.frames; // the mean over tolerances in frames, of tasks that have them
  const bar = (value) => value === null ? el("td", { class: "n muted", "data-sort": -1 }, "–") : el("td", { "data-sort": value }, el("span", { class: "cell" }, el("span", {}, percent(value)),
    el("span", { class: "meter" }, el("span", { class: "fill", style: `width:${100 * Math.min(value, 1)}%` }))));
  const plain = (value, spots) => el("td", { class: "n wide muted", "data-sort": spots ? value : -1 }, spots ? percent(value) : "–");
  const rows = classes.map((name, index) => {
    const [all, shown, unshown] = summary.spots.map((view) => view[index]);
    return el("tr", {}, el("th", { scope: "row" }, name),
      el("td", { class: "n", "data-sort": all }, count(all)), el("td", { class: "n wide muted", "data-sort": unshown }, count(unshown)),
      ...views.map((view) => [bar(metrics[view].per_class[name]), plain(metrics[view].per_class_shown[name], shown), plain(metrics[view].per_class_unshown[name], unshown)]).flat(), framed ? bar(framed.per_class[name]) : null, bar(summary.f1.per_class[name]?.f1 ?? null));
  });
  const heads = [["class", ""], ["spots", "n"], ["not shown", "n wide"], ...views.flatMap((view) => [[view, "metered"], ["shown", "n wide"], ["unshown", "n wide"]]), ...(framed ? [["within frames", "metered"]] : []), ["F1", "metered"]];
  const table = el("table", {}, el("thead", {}, el("tr", {}, heads.map(([name, kind]) => el("th", { class: kind, scope: "col" }, name)))), el("tbody", {}, rows));
  $("classes").append(head("classes", "Classes", `Average precision of every class, in percent, and F1 at a threshold of ${summary.f1.threshold.toFixed(2)}, within ±${summary.f1.frames} frames (${Number(summary.f1.seconds.toFixed(2))} s). A class without spots counts as 0 in the mean, as in the official code.`),
    el("div", { class: "card scroll" }, sortable(table)));
}
