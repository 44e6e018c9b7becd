// What leaves the page: predictions as a table or OSL JSON, and labels that are probably wrong, to be corrected.

const ERROR_KINDS = ["no label here", "label at another time", "label of another class", "label without a prediction"];
const BEGINS = [0, 0, 45, 90, 105], LENGTHS = [0, 45, 45, 15, 15]; // minutes of the halves of football
const placed = summary.halves.some((half) => half.start > 0); // halves lie in files with others

/** Write milliseconds of a half as the clock of the match does: 57:34, or 45+2:10 in added time. */
function matchClock(number, milliseconds) {
  const seconds = Math.floor(Math.max(milliseconds, 0) / 1000);
  const minutes = Math.floor(seconds / 60), rest = String(seconds % 60).padStart(2, "0");
  const [begin, length] = [BEGINS[number] ?? 0, LENGTHS[number] ?? Infinity];
  return minutes >= length ? `${begin + length}+${minutes - length}:${rest}` : `${String(begin + minutes).padStart(2, "0")}:${rest}`;
}

function save(name, kind, text) {
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: kind })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** Return all predictions that reach the threshold, of the chosen classes, by half and time. */
function chosenSpots() {
  const found = [];
  summary.halves.forEach((half, index) => rangeOf("spot", index)
    .filter((row) => columns.spot_reached[row] > state.threshold && state.chosen.has(columns.spot_label[row]))
    .forEach((row) => found.push({ ...half, label: columns.spot_label[row], time: columns.spot_time[row], team: teamOf({ kind: "spot", row }), confidence: columns.spot_confidence[row] / 65535 })));
  return found;
}

/** Return a table that spotter convert, evaluate and clips read again. */
function asTable(spots) {
  const quoted = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
  const heads = ["game", "half", "time", "clock", ...(placed ? ["match_clock", "video_time"] : []), "class", ...(summary.teams.length ? ["team"] : []), "confidence"];
  const lines = spots.map((spot) => [spot.game, spot.number, spot.time / 1000, clock(spot.time, false), ...(placed ? [matchClock(spot.number, spot.time), (spot.start + spot.time) / 1000] : []), classes[spot.label], ...(summary.teams.length ? [spot.team ?? ""] : []), spot.confidence.toFixed(5)]);
  return [heads, ...lines].map((line) => line.map(quoted).join(",")).join("\n") + "\n";
}

/** Return OSL JSON of events: a sample for each half, or for each game whose halves share a video. */
function asOsl(events, name) {
  const samples = new Map();
  summary.halves.forEach((half) => {
    const id = placed || half.number === 1 ? half.game : `${half.game}/${half.number}`;
    if (!samples.has(id)) samples.set(id, { id, inputs: [{ type: "video", path: placed ? `${half.game}.mp4` : `${half.game}/${half.number}_224p.mkv` }], metadata: placed ? { intervals: [] } : {}, events: [] });
    if (placed) samples.get(id).metadata.intervals.push({ period: ["", "H1", "H2", "ET1", "ET2"][half.number] ?? `P${half.number}`, start_time_ms: half.start, ...(half.length ? { end_time_ms: half.start + half.length } : {}) });
  });
  for (const { game, number, start, time, label, team, confidence, ...more } of events) {
    const id = placed || number === 1 ? game : `${game}/${number}`;
    samples.get(id).events.push({ ...more, head: "action", label: classes[label], position_ms: start + time, gameTime: `${number} - ${clock(time, false)}`, ...(team ? { team } : {}), confidence, confidence_score: confidence });
  }
  return JSON.stringify({ version: "2.0", task: "action_spotting", dataset_name: name, modalities: ["video"], metadata: { type: "predictions" }, labels: { action: { type: "single_label", labels: classes } }, data: [...samples.values()] }, null, 1);
}

function downloads() {
  const text = el("span", { class: "muted small" });
  const update = () => (text.textContent = `${plural(chosenSpots().length, "prediction")} of all halves that reach ${level(state.threshold).toFixed(2)}, of the chosen classes:`);
  listen(["threshold", "chosen"], update);
  update();
  return el("div", { class: "row files" }, text,
    el("button", { type: "button", id: "csv", click: () => save("predictions.csv", "text/csv", asTable(chosenSpots())) }, "CSV"),
    el("button", { type: "button", id: "osl", click: () => save("predictions.osl.json", "application/json", asOsl(chosenSpots(), "predictions")) }, "OSL JSON"));
}

/** List labels that predictions, mostly right where they are so sure, contradict. */
function showLabelErrors() {
  const found = summary.label_errors;
  if (!found.length) return;
  const text = "Where predictions say something else than a label and, to judge by all others that are as confident, are more often right. Look before you believe: they are no proof. The OSL JSON opens in an annotation tool, to be corrected.";
  const events = () => found.map(({ kind, half, label, time, team, chance, old }) => ({ ...summary.halves[half], label, time, team: summary.teams[team], confidence: chance, comment: ERROR_KINDS[kind], ...(old ? { labelled: `${classes[old[0]]} at ${clock(old[1])}` } : {}) }));
  const rows = found.map(({ kind, half, label, time, team, chance, old }) => {
    const open = () => { openHalf(half); look(time - 30000, time + 30000); playAt(time); $("timeline").scrollIntoView(); };
    const was = old && kind !== 3 ? ` (label: ${kind === 2 ? `${classes[old[0]]}, ` : ""}${clock(old[1])})` : "";
    return el("tr", { class: "open", tabindex: 0, click: open, keydown: (event) => event.key === "Enter" && open() },
      el("td", {}, clock(time)), el("th", { scope: "row" }, [classes[label], summary.teams[team]].filter(Boolean).join(", "), el("span", { class: "muted small" }, was)),
      el("td", { class: "what" }, ERROR_KINDS[kind]), el("td", { class: "wide muted small" }, halfName(half)), el("td", { class: "n" }, percent(chance, 0)));
  });
  const heads = [["time", ""], ["probably right", ""], ["what", ""], ["half", "wide"], ["chance, %", "n"]];
  $("labels").append(head("labels", "Labels to check", text), el("div", { class: "card" },
    el("div", { class: "row between", style: "margin-bottom:8px" }, el("h3", { style: "margin:0" }, plural(found.length, "probable error")),
      el("button", { type: "button", id: "errors-osl", click: () => save("label-errors.osl.json", "application/json", asOsl(events(), "probable label errors")) }, "OSL JSON")),
    el("div", { class: "scroll tall" }, sortable(el("table", { id: "doubts" }, el("thead", {}, el("tr", {}, heads.map(([name, kind]) => el("th", { class: kind, scope: "col" }, name)))), el("tbody", {}, rows))))));
}
