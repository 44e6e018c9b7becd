// What all parts of the page share: elements, numbers as text, the data, and one state that everybody listens to.

const summary = JSON.parse(document.getElementById("summary").textContent);
const classes = summary.classes;
const labelled = summary.judged !== null;
const hasUnshown = labelled && summary.spots[2].some((number) => number > 0);
const CAUSES = ["true positive", "displaced", "wrong class", "duplicate", "background"];
const OUTCOMES = ["found", "displaced", "wrong class", "missed"];
const MEANING = {
  found: "a prediction matches it",
  "true positive": "matches a label, as the metric counts it",
  displaced: "right class, but too far from the label",
  "wrong class": "a label is here, of another class",
  duplicate: "the label here has a more confident prediction",
  background: "no label anywhere near",
  missed: "no prediction belongs to this label",
};

const $ = (id) => document.getElementById(id);
const slug = (name) => name.replace(" ", "-");

/** Make an element: attributes (functions become listeners), then children (text or nodes). */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name === "style") node.style.cssText = value;
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

const key = (name) => el("i", { class: `key ${slug(name)}`, "aria-hidden": "true" });
const percent = (fraction, digits = 1) => (100 * fraction).toFixed(digits);
const count = (number) => number.toLocaleString("en-GB");
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const level = (step) => step / 199; // the metric's 200 thresholds

/** Write milliseconds as minutes, seconds and tenths of the half. */
function clock(milliseconds, tenths = true) {
  const sign = milliseconds < 0 ? "−" : "";
  const all = Math.round(Math.abs(milliseconds) / 100);
  const minutes = String(Math.floor(all / 600)).padStart(2, "0");
  const seconds = String(Math.floor(all / 10) % 60).padStart(2, "0");
  return `${sign}${minutes}:${seconds}${tenths ? `.${all % 10}` : ""}`;
}

/** Split a game's name into what a person reads and where it lies. */
function gameName(game) {
  const parts = game.split("/");
  return { name: parts.pop(), where: parts.join(" · ") };
}

function cssColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${slug(name)}`).trim();
}

/** Unpack a gzipped, base64-coded script element. */
async function inflate(id) {
  const coded = atob($(id).textContent);
  const bytes = Uint8Array.from(coded, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array, int32: Int32Array };
const columns = {};
async function loadColumns() {
  const buffer = await inflate("columns");
  for (const [name, at] of Object.entries(summary.columns)) columns[name] = new TYPES[at.type](buffer, at.start, at.length);
}

const state = {
  tolerance: summary.tolerance, // seconds
  threshold: summary.threshold, // number of the metric's threshold
  focus: -1, // class that charts look at, -1 for all
  hidden: new Set(), // causes and outcomes that the timeline leaves out
};
const listeners = [];
let pending = new Set();

/** Change the state; listeners are told once before the next frame, with the names of what changed. */
function change(values) {
  for (const [name, value] of Object.entries(values)) {
    if (state[name] === value && typeof value !== "object") continue;
    state[name] = value;
    pending.add(name);
  }
  if (pending.size && !change.waiting) {
    change.waiting = requestAnimationFrame(() => {
      const changed = pending;
      pending = new Set();
      change.waiting = 0;
      for (const listener of listeners) listener(changed);
    });
  }
}
const listen = (names, act) => listeners.push((changed) => names.some((name) => changed.has(name)) && act(changed));

/** Make a section's head. */
function head(id, title, text) {
  $(id).hidden = false;
  $("nav").append(el("a", { href: `#${id}` }, title));
  return el("header", {}, el("h2", {}, title), text ? el("p", { class: "muted" }, text) : null);
}

function classSelect(label, change, all = "All classes") {
  const options = [all, ...classes].map((name, index) => el("option", { value: index - 1 }, name));
  return el("select", { "aria-label": label, change: (event) => change(Number(event.target.value)) }, options);
}

/** Let a table be sorted by its columns; cells carry data-sort where their text will not do. */
function sortable(table) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    cell.setAttribute("aria-sort", "none");
    const name = [...cell.childNodes];
    const sort = () => {
      const down = cell.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
      const order = (a, b) => (isNaN(value(a)) ? value(a).localeCompare(value(b)) : value(a) - value(b));
      body.append(...[...body.rows].sort((a, b) => (down ? -order(a, b) : order(a, b))));
    };
    cell.replaceChildren(el("button", { type: "button", click: sort }, ...name));
  });
  return table;
}
