// Everything around the picture of a half: the controls that errors and timeline share, choices, keys, the halves.

function showControls() {
  const tolerance = el("select", { id: "tolerance", change: (event) => change({ tolerance: Number(event.target.value) }) },
    summary.tolerances.map((seconds) => el("option", { value: seconds, selected: seconds === state.tolerance }, `${seconds} s`)));
  const lowest = summary.lowest;
  const slider = el("input", { type: "range", id: "threshold", min: lowest, max: 199, step: 1, value: state.threshold, input: (event) => change({ threshold: Number(event.target.value) }) });
  const output = el("output", { for: "threshold" });
  const best = el("button", { type: "button", id: "best", click: () => change({ threshold: labelled ? summary.judged[state.tolerance].threshold : summary.threshold }) }, labelled ? "Best F1" : "Reset");
  const update = () => {
    slider.value = state.threshold;
    slider.setAttribute("aria-valuetext", output.textContent = level(state.threshold).toFixed(2));
  };
  listen(["threshold"], update);
  update();
  $("controls").append(...(labelled ? [el("label", {}, el("span", {}, el("span", { class: "wide" }, "Tolerance "), "δ"), tolerance)] : [el("span")]), el("label", { for: "threshold" }, "Threshold", output), el("div", { class: "range" }, slider), best);
  $("controls").hidden = false;
}

function showTimeline() {
  state.chosen = new Set(classes.keys());
  Object.assign(state, { half: 0, selected: null });
  const used = summary.halves.map((_, half) => half).filter((half) => rangeOf("spot", half).length || rangeOf("label", half).length);
  const picker = el("select", { id: "half", "aria-label": "Half", change: (event) => openHalf(Number(event.target.value)) }, summary.halves.map((_, half) => el("option", { value: half, hidden: !used.includes(half) }, halfName(half))));
  const button = (text, label, click, more = {}) => el("button", { type: "button", "aria-label": label, title: label, click, ...more }, text);
  const row = el("div", { class: "row between", style: "margin-bottom:12px" },
    el("div", { class: "row", style: "min-width:0;flex:1 1 320px" }, button("‹", "Previous half", () => openHalf(state.half - 1), { id: "before" }), el("div", { style: "flex:1;min-width:0" }, picker), button("›", "Next half", () => openHalf(state.half + 1), { id: "after" })),
    el("div", { class: "row" }, button("Previous", "Previous (p)", () => step(-1), { id: "previous" }), button("Next", "Next (n)", () => step(1), { id: "next", class: "primary" })));
  const zooms = el("div", { class: "row" }, button("−", "Zoom out (−)", () => zoom(2)), button("+", "Zoom in (+)", () => zoom(0.5)), button("Whole half", "Whole half (0)", () => look(0, view.length)));
  const withVideo = summary.videos.some((links) => links.length);
  const side = el("div", { class: "side" }, withVideo ? [video, videoNote] : null, el("div", { id: "detail", "aria-live": "polite" }));
  const main = el("div", { class: "main" }, el("div", { class: "row between", style: "margin-bottom:8px" }, labelled ? legend() : el("span"), zooms), el("div", { id: "stage" }, canvas), classChoice());
  const text = labelled ? "Triangles are labels (hollow: not shown), bars below them predictions; the more confident, the more solid." : "Every bar is a prediction; the more confident, the more solid.";
  $("timeline").append(head("timeline", "Timeline", text), el("div", { class: "card" }, row,
    el("div", { class: `watch${withVideo ? " video" : ""}${labelled ? "" : " unlabelled"}` }, side, main),
    el("p", { class: "note keys" }, keyHelp(withVideo))),
    el("div", { class: "card", style: "margin-top:16px" }, el("h3", { id: "listed" }), el("div", { class: "scroll tall", id: "list" }), downloads()),
    used.length > 2 ? halvesTable(used) : "");
  video.addEventListener("loadedmetadata", fitVideo);
  video.addEventListener("play", followVideo);
  video.addEventListener("seeked", followVideo);
  pointers();
  keys();
  new ResizeObserver(() => { arrange(); paint(); }).observe($("stage"));
  listen(["threshold", "tolerance", "chosen", "hidden"], refresh);
  openHalf(used[0] ?? 0);
}

function legend() {
  const names = ["true positive", "displaced", "wrong class", "duplicate", "background", "missed"];
  const toggle = (name) => (event) => {
    const hidden = new Set(state.hidden);
    hidden.has(name) ? hidden.delete(name) : hidden.add(name);
    event.currentTarget.setAttribute("aria-pressed", !hidden.has(name));
    change({ hidden });
  };
  return el("div", { class: "row", id: "legend", role: "group", "aria-label": "Causes shown" }, names.map((name) =>
    el("button", { type: "button", "aria-pressed": "true", "data-name": name, click: toggle(name), title: MEANING[name] }, key(name), name === "true positive" ? "found / true positive" : name)));
}

function classChoice() {
  const buttons = classes.map((name, index) => el("button", { type: "button", "aria-pressed": "true", "data-class": index, click: () => {
    const chosen = new Set(state.chosen);
    chosen.has(index) ? chosen.delete(index) : chosen.add(index);
    change({ chosen });
  } }, name));
  listen(["chosen"], () => buttons.forEach((each, index) => each.setAttribute("aria-pressed", state.chosen.has(index))));
  const all = (chosen) => () => change({ chosen: new Set(chosen ? classes.keys() : []) });
  return el("details", { id: "choice" }, el("summary", {}, "Choose classes"), el("div", { class: "checks" },
    el("button", { type: "button", id: "all", click: all(true) }, "All"), el("button", { type: "button", id: "none", click: all(false) }, "None"), buttons));
}

function keyHelp(withVideo) {
  const pairs = [["n", "p", "next, previous"], ["[", "]", "halves"], ["+", "−", "0", "zoom"], ...(withVideo ? [["Enter", "play the chosen one"], ["Space", "play or pause"]] : [])];
  if (touched) return ["Tap a spot to read about it, drag to move, + and − zoom; the strip above is the whole half."];
  return [...pairs.map((keys) => el("span", {}, keys.slice(0, -1).map((name) => el("kbd", {}, name)), ` ${keys.at(-1)}`)), "Drag to move, Ctrl and wheel to zoom."];
}

function keys() {
  const acts = {
    n: () => step(1), p: () => step(-1), "[": () => openHalf(state.half - 1), "]": () => openHalf(state.half + 1),
    "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => look(0, view.length),
  };
  const onCanvas = {
    ArrowRight: () => step(1), ArrowLeft: () => step(-1), Enter: () => state.selected && playAt(timeOf(state.selected)),
    " ": () => (video.paused ? video.play().catch(() => {}) : video.pause()), Escape: () => select(null),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, video")) return;
    const act = acts[event.key] ?? (event.target.closest("button, a, summary, tr") ? null : onCanvas[event.key]);
    if (!act || (onCanvas[event.key] && event.target !== canvas && !state.selected)) return;
    event.preventDefault();
    act();
  });
}

/** List all halves with what is wrong in them at the threshold, worst first; a click opens one. */
function halvesTable(used) {
  const place = el("div", { class: "scroll tall", id: "halves" });
  const drawRows = () => {
    const counted = used.map((half) => [half, halfCounts(half)]);
    if (labelled) counted.sort((a, b) => a[1].at(-1) - b[1].at(-1));
    const rows = counted.map(([half, counts]) => {
      const open = () => { openHalf(half); $("timeline").scrollIntoView(); };
      const { name, where } = gameName(summary.halves[half].game);
      return el("tr", { class: "open", tabindex: 0, click: open, keydown: (event) => event.key === "Enter" && open() },
        el("th", { scope: "row" }, name, el("span", { class: "muted small wide" }, `  ${where}`)), el("td", { class: "n" }, summary.halves[half].number),
        counts.map((number) => el("td", { class: "n" }, number)));
    });
    const heads = ["game", "half", ...(labelled ? ["labels", "found", "not found", "wrong predictions", "F1, %"] : ["predictions"])];
    const table = el("table", {}, el("thead", {}, el("tr", {}, heads.map((name, index) => el("th", { class: index ? "n" : null, scope: "col" }, name)))), el("tbody", {}, rows));
    place.replaceChildren(sortable(table));
  };
  const whole = el("details", { class: "card", style: "margin-top:16px", toggle: () => whole.open && drawRows() }, el("summary", {}, `All ${used.length} halves, to find the worst`), place);
  listen(["threshold", "tolerance"], () => whole.open && drawRows());
  return whole;
}

function halfCounts(half) {
  const spots = rangeOf("spot", half).filter((row) => columns.spot_reached[row] > state.threshold);
  if (!labelled) return [spots.length];
  const labels = rangeOf("label", half);
  const found = labels.filter((row) => outcomeOf(row) === 0).length;
  return [labels.length, found, labels.length - found, spots.length - found, ((200 * found) / Math.max(labels.length + spots.length, 1)).toFixed(1)];
}
