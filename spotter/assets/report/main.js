// Draw the page: first what needs only the summary, then what needs the spots, then the charts.

const THEMES = ["auto", "light", "dark"];
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

function applyTheme(name) {
  state.theme = name;
  document.documentElement.dataset.theme = name === "auto" ? (prefersDark.matches ? "dark" : "light") : name;
  const shown = name[0].toUpperCase() + name.slice(1);
  $("theme").textContent = shown;
  $("theme").setAttribute("aria-label", `Colour theme: ${shown}`);
  readPalette();
  redrawCharts();
  if (canvas.isConnected) paint();
}

function showAbout() {
  const left = summary.total - summary.kept;
  const rows = [
    ...(hasShots ? [["Camera shots", "The band below the clock, a colour a camera; replays are strong, an arc leads to the action that they show, and ticks are what was answered."]] : []),
    ["What is in this file", `${plural(summary.kept, "prediction")} of ${count(summary.total)}${left ? `; the ${count(left)} with a confidence below ${summary.floor.toPrecision(2)} are left out here${labelled ? ", but counted in all scores, curves and costs" : ""}` : ""}. It opens offline; nothing is fetched.`],
    ...(labelled ? [
      ["Tolerance δ", "The full width of a match, as in the metric: a prediction counts within δ/2 on either side, in whole frames of the metric."],
      ["True positive", "The metric's own matching: in order of time every label takes the most confident prediction of its class within δ/2 that is left."],
      ["Duplicate", `A label of its class lies within δ/2, or all labels of its class within ${summary.around} × δ/2 are taken by more confident predictions.`],
      ["Displaced", `A label of its class lies within ${summary.around} × δ/2, not within δ/2, and no more confident prediction takes it.`],
      ["Wrong class", "None of these, but a label of another class lies within δ/2."],
      ["Background", "None of these."],
      ["Missed", "A label without a match that reaches the threshold, to which no displaced prediction or one of a wrong class belongs either."],
    ] : []),
  ];
  $("about").append(head("about", "About", null), el("div", { class: "card" }, el("dl", {}, rows.map(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]))));
}

async function begin() {
  applyTheme("auto");
  prefersDark.addEventListener("change", () => state.theme === "auto" && applyTheme("auto"));
  $("theme").addEventListener("click", () => applyTheme(THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length]));
  showScores();
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old to unpack the spots (it lacks DecompressionStream)");
  await loadColumns();
  if (labelled) showCurves();
  showControls();
  if (labelled) showErrors();
  showTimeline();
  showLabelErrors();
  showAbout();
  if (summary.playing) openPlaying();
  document.documentElement.dataset.ready = Math.round(performance.now());
  if (labelled) (window.requestIdleCallback ?? setTimeout)(drawAll); // before anybody scrolls to a chart
}

begin().catch((error) => {
  document.documentElement.dataset.failed = error.message;
  $("page").prepend(el("p", { class: "card", role: "alert" }, `Part of this page cannot be shown: ${error.message}.`));
  throw error;
});
