// The picture of a half: an overview of all of it, and below, one lane a class for the part in view.

const canvas = el("canvas", { id: "canvas", tabindex: 0, role: "img", "aria-describedby": "detail" });
const view = { from: 0, to: 60000, length: 60000 }; // milliseconds of the half
const OVERVIEW = 34, AXIS = 24;
const hasShots = summary.shots.some((each) => each.length);
const SHOTS = hasShots ? 24 : 0; // the lane of camera shots, between the clock and the classes
const LANES = OVERVIEW + AXIS + SHOTS; // where the first class begins
let lanes = []; // { label, top, name }
let playhead = null;
let palette = {};

function readPalette() {
  for (const name of ["ink", "muted", "line", "soft", "card", "accent", ...CAUSES, "missed"]) palette[name] = cssColor(name);
  palette.found = palette["true positive"];
}

let nameWidth = 148; // pixels that the longest name of a class takes
const gutter = () => (canvas.clientWidth > 640 ? nameWidth : 0);
const laneHeight = () => (gutter() ? 28 : 40) + (lanes.length < 5 ? 16 : 0);
const span = () => canvas.clientWidth - gutter() - 12;
const xOf = (time) => gutter() + 6 + ((time - view.from) / (view.to - view.from)) * span();
const timeAt = (x) => view.from + ((x - gutter() - 6) / span()) * (view.to - view.from);
const overviewTime = (x) => ((x - gutter() - 6) / span()) * view.length;

/** Show from … to, kept within the half and not narrower than 10 seconds. */
function look(from, to) {
  const width = Math.min(Math.max(to - from, 10000), view.length);
  view.from = Math.min(Math.max(from, 0), view.length - width);
  view.to = view.from + width;
  paint();
}

/** Zoom around a moment: by default the selected spot where it is in view, else the middle. */
function zoom(factor, around = null) {
  const selected = state.selected ? timeOf(state.selected) : -1;
  around ??= selected >= view.from && selected <= view.to ? selected : (view.from + view.to) / 2;
  const share = (around - view.from) / (view.to - view.from);
  const width = Math.min(Math.max((view.to - view.from) * factor, 10000), view.length);
  look(around - share * width, around + (1 - share) * width);
}

/** Bring a moment into view, without moving when it is there already. */
function reveal(time) {
  const width = view.to - view.from;
  if (time < view.from + 0.05 * width || time > view.to - 0.05 * width) look(time - width / 2, time + width / 2);
  else paint();
}

/** Lay out a lane for each class that has something to show. */
function arrange() {
  const used = new Set([...labelRows().map((row) => columns.label_label[row]), ...spotRows().map((row) => columns.spot_label[row])]);
  const shown = classes.map((_, index) => index).filter((index) => state.chosen.has(index) && used.has(index));
  lanes = shown.map((label) => ({ label, name: classes[label] }));
  const pen = canvas.getContext("2d");
  pen.font = font();
  nameWidth = Math.min(260, Math.max(148, 16 + Math.ceil(Math.max(...classes.map((name) => pen.measureText(name).width)))));
  lanes.forEach((lane, index) => (lane.top = LANES + index * laneHeight()));
  const height = LANES + Math.max(lanes.length, 2) * laneHeight() + 6;
  canvas.style.height = `${height}px`;
}

const font = () => `12px ${getComputedStyle(document.body).fontFamily}`;

function paint() {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = font();
  pen.textBaseline = "middle";
  paintLanes(pen, width);
  paintAxis(pen, width, height);
  paintShots(pen, width);
  pen.save();
  pen.beginPath();
  pen.rect(gutter(), OVERVIEW, width - gutter(), height);
  pen.clip();
  paintSpots(pen);
  paintLabels(pen);
  paintSelected(pen, height);
  if (playhead !== null) stroke(pen, xOf(playhead), OVERVIEW, height, palette.accent, 2);
  pen.restore();
  paintOverview(pen, width);
}

function stroke(pen, x, top, bottom, color, width = 1) {
  pen.fillStyle = color;
  pen.fillRect(x - width / 2, top, width, bottom - top);
}

function paintLanes(pen, width) {
  lanes.forEach((lane, index) => {
    if (index % 2 === 0) {
      pen.fillStyle = palette.soft;
      pen.globalAlpha = 0.6;
      pen.fillRect(0, lane.top, width, laneHeight());
      pen.globalAlpha = 1;
    }
    pen.fillStyle = gutter() ? palette.ink : palette.muted;
    pen.textAlign = gutter() ? "right" : "left";
    pen.fillText(lane.name, gutter() ? gutter() - 10 : 4, lane.top + (gutter() ? laneHeight() / 2 : 7));
  });
  if (!lanes.length) {
    pen.fillStyle = palette.muted;
    pen.textAlign = "center";
    pen.fillText("Nothing at this threshold and choice of classes.", width / 2, LANES + 28);
  }
}

function paintAxis(pen, width, height) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].map((seconds) => 1000 * seconds);
  const step = steps.find((each) => (each / (view.to - view.from)) * span() >= 62) ?? 600000;
  pen.textAlign = "center";
  for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
    stroke(pen, xOf(time), LANES, height, palette.line);
    pen.fillStyle = palette.muted;
    pen.fillText(clock(time, false), Math.min(Math.max(xOf(time), 18), width - 18), OVERVIEW + AXIS / 2 + 1);
  }
}

/** Draw camera shots as a band below the clock: replays strongly, an arc to the action, a tick for each answer. */
function paintShots(pen, width) {
  if (!hasShots) return;
  const [top, height] = [LANES - 9, 6];
  if (gutter()) {
    pen.textAlign = "right";
    pen.fillStyle = palette.muted;
    pen.fillText("camera shots", gutter() - 10, LANES - SHOTS / 2);
  }
  pen.save();
  pen.beginPath();
  pen.rect(gutter(), LANES - SHOTS, width - gutter(), SHOTS);
  pen.clip();
  for (const shot of summary.shots[state.half]) {
    pen.globalAlpha = shot.replay ? 1 : 0.35;
    pen.fillStyle = `hsl(${hueOf(shot.camera)} 55% 50%)`;
    pen.fillRect(xOf(shot.from), top, Math.max(xOf(shot.to) - xOf(shot.from) - 1, 1), height);
    if (!shot.replay) continue;
    for (const [time, score] of shot.answers) {
      pen.globalAlpha = 0.25 + 0.75 * score;
      stroke(pen, xOf(time), top - 6, top, palette.accent, 2);
    }
    pen.globalAlpha = 1;
    if (shot.action !== null) {
      pen.strokeStyle = palette.ink;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(xOf(shot.from), top);
      pen.quadraticCurveTo((xOf(shot.from) + xOf(shot.action)) / 2, 2 * (LANES - SHOTS + 1) - top, xOf(shot.action), top);
      pen.stroke();
    }
  }
  pen.restore();
}

/** Return a colour for a camera, the same in every half. */
const hueOf = (camera) => [...camera].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) % 360, 7);

/** Return the shot that is on at a moment, null where none is known. */
const shotAt = (time) => summary.shots[state.half].find((shot) => time >= shot.from && time < shot.to) ?? null;

const rowTop = (lane) => lane.top + (gutter() ? 3 : 15);
const rowHeight = () => (gutter() ? laneHeight() - 6 : laneHeight() - 17);

function paintSpots(pen) {
  const byClass = new Map(lanes.map((lane) => [lane.label, lane]));
  for (const row of spotRows()) {
    const [lane, time] = [byClass.get(columns.spot_label[row]), columns.spot_time[row]];
    if (!lane || time < view.from - 1000 || time > view.to + 1000) continue;
    pen.globalAlpha = 0.18 + (0.82 * columns.spot_confidence[row]) / 65535;
    const middle = rowTop(lane) + rowHeight() / 2;
    stroke(pen, xOf(time), labelled ? middle + 1 : rowTop(lane), rowTop(lane) + rowHeight(), labelled ? palette[causeOf(row)] : palette.accent, 4);
  }
  pen.globalAlpha = 1;
}

function paintLabels(pen) {
  const byClass = new Map(lanes.map((lane) => [lane.label, lane]));
  for (const row of labelRows()) {
    const [lane, time] = [byClass.get(columns.label_label[row]), columns.label_time[row]];
    if (!lane || time < view.from - 1000 || time > view.to + 1000) continue;
    const outcome = OUTCOMES[outcomeOf(row)];
    const color = palette[outcome];
    const [x, top, half] = [xOf(time), rowTop(lane), rowHeight() / 2 - 1];
    pen.fillStyle = pen.strokeStyle = color;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(x - 4.5, top + 0.5);
    pen.lineTo(x + 4.5, top + 0.5);
    pen.lineTo(x, top + half);
    pen.closePath();
    if (columns.label_visible[row]) pen.fill();
    else pen.stroke();
  }
}

function paintSelected(pen, height) {
  const item = state.selected;
  if (!item || item.half !== state.half) return;
  const x = xOf(timeOf(item));
  const lane = lanes.find((each) => each.label === labelOf(item));
  stroke(pen, x, OVERVIEW + 2, height, palette.muted);
  if (!lane) return;
  pen.strokeStyle = palette.ink;
  pen.lineWidth = 2;
  pen.strokeRect(x - 8, rowTop(lane) - 2, 16, rowHeight() + 4);
}

function paintOverview(pen, width) {
  const at = (time) => gutter() + 6 + (time / view.length) * span();
  pen.fillStyle = palette.card;
  pen.fillRect(0, 0, width, OVERVIEW);
  pen.fillStyle = palette.soft;
  pen.fillRect(gutter() + 6, 6, span(), OVERVIEW - 12);
  for (const item of labelled ? disagreements() : disagreements().filter((each) => state.chosen.has(labelOf(each)))) {
    pen.globalAlpha = item.kind === "label" ? 0.9 : 0.75;
    stroke(pen, at(timeOf(item)), 8, OVERVIEW - 8, labelled ? palette[nameOf(item)] : palette.accent, 1.5);
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = palette.muted;
  pen.lineWidth = 1.5;
  pen.strokeRect(at(view.from), 4.5, Math.max(at(view.to) - at(view.from), 3), OVERVIEW - 9);
  if (playhead !== null) stroke(pen, at(playhead), 2, OVERVIEW - 2, palette.accent, 2);
}

/** Return what lies under a place of the canvas: the nearest label or prediction within 9 pixels in its lane. */
function hit(x, y) {
  const lane = lanes.find((each) => y >= each.top && y < each.top + laneHeight());
  if (!lane) return null;
  const upper = labelled && y < rowTop(lane) + rowHeight() / 2;
  const near = [
    ...labelRows().filter((row) => columns.label_label[row] === lane.label).map((row) => ({ half: state.half, kind: "label", row })),
    ...spotRows().filter((row) => columns.spot_label[row] === lane.label).map((row) => ({ half: state.half, kind: "spot", row })),
  ].map((item) => ({ item, far: Math.abs(xOf(timeOf(item)) - x) + ((item.kind === "label") === upper ? 0 : 4) }));
  near.sort((a, b) => a.far - b.far);
  return near.length && near[0].far <= 9 ? near[0].item : null;
}
