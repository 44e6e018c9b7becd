// The timeline's controls: which half, which classes, what to step through, and the video if there is one.

const video = el("video", { controls: true, preload: "metadata", playsinline: true });
const videoNote = el("p", { class: "note", "aria-live": "polite" });
const LEAD = 2; // seconds before a spot at which its video starts
const ROWS = 250;
const CROWD = 60; // spots of one class that can be told apart side by side

function rangeOf(kind, half) {
  const start = columns[`${kind}_start`];
  return start ? Array.from({ length: start[half + 1] - start[half] }, (_, index) => start[half] + index) : [];
}

const causeOf = (row) => CAUSES[columns[`spot_cause_${state.tolerance}`][row]];
const timeOf = ({ kind, row }) => columns[`${kind}_time`][row];
const labelOf = ({ kind, row }) => columns[`${kind}_label`][row];
const teamOf = ({ kind, row }) => summary.teams[columns[`${kind}_team`][row] - 1];
const nameOfSpot = (item) => [classes[labelOf(item)], teamOf(item)].filter(Boolean).join(", ");
const nameOf = ({ kind, row }) => (kind === "label" ? OUTCOMES[outcomeOf(row)] : causeOf(row));
const toggleOf = (name) => (name === "found" ? "true positive" : name);

/** Rows of the current half that the filters leave: labels, and predictions that reach the threshold. */
const labelRows = () => rangeOf("label", state.half).filter((row) => !state.hidden.has(toggleOf(OUTCOMES[outcomeOf(row)])));
const spotRows = () => rangeOf("spot", state.half).filter((row) => columns.spot_reached[row] > state.threshold && !(labelled && state.hidden.has(causeOf(row))));

/** What to step through, by time: wrong predictions and missed labels; without labels, all predictions. */
function disagreements() {
  const spots = spotRows().filter((row) => !labelled || causeOf(row) !== "true positive").map((row) => ({ half: state.half, kind: "spot", row }));
  const missed = labelRows().filter((row) => outcomeOf(row) === 3).map((row) => ({ half: state.half, kind: "label", row }));
  return [...spots, ...missed].filter((item) => state.chosen.has(labelOf(item))).sort((a, b) => timeOf(a) - timeOf(b));
}

function describe(item) {
  const { kind, row } = item;
  const { number, start } = summary.halves[item.half];
  const place = placed ? el("span", { class: "muted small" }, `  ${matchClock(number, timeOf(item))} of the match, ${clock(start + timeOf(item))} of the file`) : "";
  const title = el("span", {}, el("strong", {}, `${clock(timeOf(item))}  ${nameOfSpot(item)}`), place);
  if (kind === "label") {
    const seen = columns.label_visible[row] ? "label" : "label, action not shown";
    return [title, el("p", {}, key(nameOf(item)), `${seen}: ${nameOf(item)}, ${MEANING[nameOf(item)]}`)];
  }
  const confidence = `confidence ${(columns.spot_confidence[row] / 65535).toFixed(3)}`;
  if (!labelled) return [title, el("p", {}, confidence)];
  const more = [confidence, neighbour(item)].filter(Boolean).join(" · ");
  return [title, el("p", {}, key(causeOf(row)), `${causeOf(row)}: ${MEANING[causeOf(row)]} `, el("span", { class: "muted small" }, `· ${more}`))];
}

/** Say which label is nearest: of the same class, or of another where that is what is wrong. */
function neighbour(item) {
  const other = causeOf(item.row) === "wrong class";
  const near = rangeOf("label", item.half).filter((row) => (columns.label_label[row] === labelOf(item)) !== other);
  near.sort((a, b) => Math.abs(columns.label_time[a] - timeOf(item)) - Math.abs(columns.label_time[b] - timeOf(item)));
  if (!near.length) return "";
  const off = (timeOf(item) - columns.label_time[near[0]]) / 1000;
  return `nearest label${other ? ` (${classes[columns.label_label[near[0]]]})` : " of this class"} ${Math.abs(off).toFixed(1)} s ${off > 0 ? "before" : "after"} it`;
}

function select(item, play = false) {
  state.selected = item;
  $("detail").replaceChildren(...(item ? describe(item) : [el("p", { class: "muted" }, hint())]));
  if (item) reveal(timeOf(item));
  if (item && play) playAt(timeOf(item));
  document.querySelectorAll("#list tr.open").forEach((row) => row.classList.toggle("chosen", Boolean(item) && row.dataset.item === `${item.kind}${item.row}`));
}

const touched = window.matchMedia("(pointer: coarse)").matches;

function hint() {
  return `${agreement()} in this half. ${touched ? "Step through them with Previous and Next, or tap anything in the picture." : "Step through them with n and p, or click anything in the picture."}`;
}

/** Say how many of all labels and predictions in view disagree; without labels, how many spots there are. */
function agreement() {
  const number = disagreements().length;
  if (!labelled) return plural(number, "spot");
  const all = [...spotRows().map((row) => columns.spot_label[row]), ...labelRows().filter((row) => outcomeOf(row) === 3).map((row) => columns.label_label[row])];
  return `${count(number)} of ${plural(all.filter((label) => state.chosen.has(label)).length, "spot")} disagree`;
}

/** Go to the next (+1) or previous (−1) disagreement, on into other halves where this one has no more. */
function step(way) {
  const items = disagreements();
  const time = state.selected ? timeOf(state.selected) : way > 0 ? -Infinity : Infinity;
  const at = state.selected ? items.findIndex((item) => item.kind === state.selected.kind && item.row === state.selected.row) : -1;
  const next = at >= 0 ? items[at + way] : way > 0 ? items.find((item) => timeOf(item) > time) : items.findLast((item) => timeOf(item) < time);
  if (next) return select(next, !video.paused);
  for (let half = state.half + way; half >= 0 && half < summary.halves.length; half += way) {
    openHalf(half);
    const found = disagreements();
    if (found.length) return select(way > 0 ? found[0] : found.at(-1));
  }
}

function openHalf(half) {
  if (half < 0 || half >= summary.halves.length) return;
  Object.assign(state, { half, selected: null });
  view.length = lengthOf(half, summary.halves[half].length);
  [view.from, view.to, playhead] = [0, view.length * Math.min(1, CROWD / crowd()), null];
  $("half").value = half;
  [$("before").disabled, $("after").disabled] = [half === 0, half === summary.halves.length - 1];
  loadVideo(half);
  refresh();
}

/** Return the milliseconds of a half: as long as its video, if that is known, and as its last label or prediction. */
function lengthOf(half, known) {
  const last = (kind) => rangeOf(kind, half).reduce((most, row) => Math.max(most, columns[`${kind}_time`][row]), 0);
  const end = Math.max(last("label"), last("spot"));
  return Math.max(10000, known ? Math.max(known, end) : end + 5000);
}

/** Let the picture end with the video, once the browser knows how long that is. */
function fitVideo() {
  const { start, length } = summary.halves[state.half];
  if (length || !Number.isFinite(video.duration)) return;
  view.length = lengthOf(state.half, 1000 * video.duration - start);
  look(view.from, Math.min(view.to, view.length));
}

/** Redraw all that depends on the filters. */
function refresh() {
  arrange();
  paint();
  if (!state.selected) $("detail").replaceChildren(el("p", { class: "muted" }, hint()));
  else $("detail").replaceChildren(...describe(state.selected));
  const items = disagreements();
  const rows = items.slice(0, ROWS).map((item) => el("tr", { class: "open", "data-item": `${item.kind}${item.row}`, click: () => select(item, true) },
    el("td", {}, clock(timeOf(item))), el("th", { scope: "row" }, nameOfSpot(item)),
    labelled ? el("td", { class: "what" }, key(nameOf(item)), nameOf(item)) : null,
    el("td", { class: "n" }, item.kind === "spot" ? (columns.spot_confidence[item.row] / 65535).toFixed(2) : "")));
  const heads = [["time", ""], ["class", ""], ...(labelled ? [["what", ""]] : []), ["confidence", "n"]];
  const more = items.length > ROWS ? el("p", { class: "note" }, `and ${count(items.length - ROWS)} more; raise the threshold or choose classes`) : null;
  $("list").replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, heads.map(([name, kind]) => el("th", { class: kind, scope: "col" }, name)))), el("tbody", {}, rows)), more ?? "");
  $("listed").textContent = `${agreement()} in this half`;
  canvas.setAttribute("aria-label", `${halfName(state.half)}: ${plural(labelRows().length, "label")} and ${plural(spotRows().length, "prediction")} in view; the list below says the same in words.`);
}

/** Count the labels or predictions of the class that has most of them in the current half. */
function crowd() {
  const counts = classes.map(() => 1);
  for (const row of labelled ? rangeOf("label", state.half) : spotRows()) counts[columns[labelled ? "label_label" : "spot_label"][row]] += 1;
  return Math.max(...counts);
}

function halfName(half) {
  const { game, number } = summary.halves[half];
  return `${gameName(game).name}, ${number > 2 && number < 5 ? `extra time ${number - 2}` : `half ${number}`}`;
}

function loadVideo(half) {
  const links = summary.videos[half];
  video.hidden = !links.length;
  const failed = () => (videoNote.textContent = "The browser cannot play this video: it is not where it was, or of a kind that it does not know. ffmpeg -i match.mkv -c copy match.mp4 helps with many.");
  video.replaceChildren(...links.map((link, index) => el("source", { src: link, error: () => index === links.length - 1 && failed() })));
  videoNote.textContent = links.length ? "" : summary.videos.some((each) => each.length) ? "No video of this half." : "";
  if (links.length) video.load();
}

function playAt(time) {
  if (video.hidden) return;
  const go = () => {
    video.currentTime = Math.max((summary.halves[state.half].start + time) / 1000 - LEAD, 0);
    video.play().catch(() => {}); // refused before a click, which is fine: it has been sought
  };
  if (video.readyState >= 1) go();
  else video.addEventListener("loadedmetadata", go, { once: true });
}

/** Show the timeline with its video playing, muted, for browsers play no sound before somebody clicks. */
function openPlaying() {
  $("timeline").scrollIntoView();
  video.muted = true;
  playAt(0);
}

function followVideo() {
  playhead = 1000 * video.currentTime - summary.halves[state.half].start;
  if (!video.paused && (playhead > view.to || playhead < view.from)) look(playhead - (view.to - view.from) / 10, playhead + 0.9 * (view.to - view.from));
  else paint();
  if (!video.paused) requestAnimationFrame(followVideo);
}

function pointers() {
  let from = null;
  const place = (event) => [event.clientX - canvas.getBoundingClientRect().left, event.clientY - canvas.getBoundingClientRect().top];
  canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    from = { x, y, start: view.from, stop: view.to, overview: y < OVERVIEW, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (!from) return y >= OVERVIEW && y < LANES ? showShot(event, shotAt(timeAt(x))) : showTip(event, hit(x, y));
    from.moved ||= Math.abs(x - from.x) > 4;
    const width = from.stop - from.start;
    if (from.overview) look(overviewTime(x) - width / 2, overviewTime(x) + width / 2);
    else if (from.moved) look(from.start - ((x - from.x) / span()) * width, from.stop - ((x - from.x) / span()) * width);
  });
  canvas.addEventListener("pointerup", (event) => {
    const [x, y] = place(event);
    if (from && !from.moved && from.overview) {
      const width = Math.min(view.to - view.from, 300000);
      look(overviewTime(x) - width / 2, overviewTime(x) + width / 2);
    } else if (from && !from.moved) {
      const item = hit(x, y);
      if (item) select(item, true);
      else if (y > OVERVIEW) playAt(Math.max(timeAt(x), 0) + 1000 * LEAD);
    }
    from = null;
  });
  canvas.addEventListener("pointercancel", () => (from = null));
  canvas.addEventListener("pointerleave", () => showTip(null, null));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(place(event)[0]));
  }, { passive: false });
}

function showTip(event, item) {
  $("tip").hidden = !item;
  if (!item) return;
  placeTip(event, describe(item));
}

/** Say of a shot what camera it is from, and of a replay when its action was, and what was answered. */
function showShot(event, shot) {
  $("tip").hidden = !shot;
  if (!shot) return;
  const words = [`${clock(shot.from)} to ${clock(shot.to)}`];
  if (shot.replay) words.push(shot.action === null ? "replay of an unknown action" : `replay of ${clock(shot.action)}`);
  if (shot.answers?.length) words.push(`answers: ${shot.answers.map(([time, score]) => `${clock(time)} (${score.toFixed(2)})`).join(", ")}`);
  placeTip(event, [el("strong", {}, shot.camera || "camera shot"), el("p", {}, words.join("; "))]);
}

function placeTip(event, content) {
  $("tip").replaceChildren(...content);
  const left = Math.min(event.clientX + 14, window.innerWidth - $("tip").offsetWidth - 8);
  $("tip").style.cssText = `left:${left}px;top:${event.clientY + 16}px`;
}
