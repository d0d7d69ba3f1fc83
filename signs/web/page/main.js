// The page: camera, connection, what is shown, and what keys and buttons do. Each part has a file of its own.

import { showAnswer, showConsent } from "./answer.js";
import { Camera } from "./camera.js";
import { $, text } from "./elements.js";
import { prepareKeys } from "./keys.js";
import { prepareLearn } from "./learn.js";
import { Link } from "./link.js";
import { prepareNames, prepareNaming } from "./naming.js";
import { prepareOwn, showOwn } from "./own.js";
import { drawPoints } from "./overlay.js";
import { prepareSigns } from "./signs.js";
import { showCurtain, showState } from "./state.js";
import { prepareUpload } from "./upload.js";
import { say } from "./words.js";

const FAULTS = { NotAllowedError: "camera.refused", NotFoundError: "camera.none", OverconstrainedError: "camera.none",
  NotReadableError: "camera.busy", NotSupportedError: "camera.insecure" };

const about = await (await fetch("/about.json")).json();
const link = new Link(show, told => { connection = told; show(view); });
const camera = new Camera($("video"), link);
let view = { at: "loading", state: "loading", mode: "countdown" }, connection = "", fault = "", mirrored = true;

function order(what, value) {
  link.order(what, value);
}

function show(next) {
  view = next;
  if (view.rate) camera.rate = view.rate;
  showState(view, camera.on);
  showConsent(view);
  showAnswer(view, order);
  showOwn(view, camera.on && view.at === "live");
  showCurtain(view, connection, fault, camera);
  text($("link-said"), ["lost", "http"].includes(connection) ? say(`link.${connection}`) : "");
  $("camera-stop").hidden = !camera.on;
  fit();
  drawPoints($("overlay"), camera.on && view.at === "live" && view.state !== "result" ? view.points : null, about.lines);
}

// The frame has the picture's own shape, so that points lie where they were found.
function fit() {
  const { videoWidth: width, videoHeight: height } = $("video");
  if (!width || $("overlay").width === width) return;
  $("frame").style.setProperty("--ratio", `calc(${width} / ${height})`);
  $("overlay").width = width;
  $("overlay").height = height;
}

async function startCamera() {
  fault = "";
  try {
    await camera.start();
    if (view.at === "idle") order("again");
  } catch (error) {
    fault = FAULTS[error.name] ?? "camera.busy";
  }
  show(view);
}

const does = { camera: startCamera, open: () => link.open(), again: () => order("again") };
const pick = number => () => order("choose", number);
const way = name => () => { if (view.at === "live") order("mode", view.mode === name ? "countdown" : name); };
const start = () => { if (!$("start").disabled) order("start"); else if (!$("camera-start").hidden) $("camera-start").click(); };
const mirror = () => { mirrored = !mirrored; $("frame").classList.toggle("mirrored", mirrored); };
const toggleSigns = () => { $("signs").open = !$("signs").open; if ($("signs").open) $("signs").scrollIntoView(); };

camera.ended = () => { fault = "camera.none"; show(view); };
$("frame").classList.add("mirrored");
$("camera-start").addEventListener("click", () => does[$("camera-start").dataset.does || "camera"]());
$("camera-stop").addEventListener("click", () => { camera.stop(); show(view); });
$("start").addEventListener("click", () => order("start"));
for (const button of document.querySelectorAll("[data-mode]")) {
  button.addEventListener("click", () => order("mode", button.dataset.mode));
}
const openNaming = () => { if (!$("correct").hidden) naming(); };
for (const button of document.querySelectorAll("#correct [data-do]")) {
  const what = button.dataset.do;
  button.addEventListener("click", () => (what === "name" ? openNaming() : order(what)));
}
$("consent")?.addEventListener("change", () => order("consent", $("consent").checked));
const naming = prepareNaming("naming", name => order("name", name), () => { order("aside"); $("answer").focus(); });
prepareNames(about.signs.map(sign => sign.name));
prepareKeys({
  " ": start, h: way("hands-free"), c: way("continuous"), 1: pick(0), 2: pick(1), 3: pick(2), n: openNaming,
  0: () => order("nothing"), u: () => order("take back"), b: () => order("before"), m: mirror, "?": toggleSigns,
});
prepareOwn(order);
prepareLearn();
prepareUpload();
prepareSigns(about);
show(view);
document.querySelector("main").inert = false;  // nothing can be pressed before something listens
link.open();
