// What the session is at: the mode, its state in words, how much moves, and the curtain over the picture.

import { $, text } from "./elements.js";
import { isSending } from "./upload.js";
import { say } from "./words.js";

const ABLE = ["idle", "result", "countdown", "learning", "ready"];  // states in which Start does something
const COUNTED = ["countdown", "recording"];

export function showState(view, cameraOn) {
  const live = view.at === "live";
  const state = live ? (cameraOn || view.state === "loading" ? view.state : "off") : "off";
  $("state").className = state;
  text($("state"), say(`state.${state}`));
  text($("hint"), hintOf(view, state));
  const ends = live && view.mode === "own" && view.state === "recording";  // a take of one's own sign
  text($("start"), (ends ? say("start.own") : say(`start.${live ? view.state : "idle"}`)) || say("start.idle"));
  $("start").disabled = !(live && cameraOn && (ends || ABLE.includes(view.state)));
  for (const button of document.querySelectorAll("[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === view.mode));
    button.disabled = !live;
  }
  $("frame").classList.toggle("recording", state === "recording");
  showMeasures(view, state);
}

function hintOf(view, state) {
  if (view.problem) return view.problem;
  if (view.restless) return say("hint.restless");
  return say(`hint.${state}`) || say(`hint.${state}.${view.mode}`);
}

function showMeasures(view, state) {
  const counted = ["countdown", "own"].includes(view.mode) && COUNTED.includes(state);
  $("progress").hidden = !(counted || state === "learning");
  $("progress").value = view.progress ?? 0;
  $("gauge").hidden = !view.trigger || !["ready", "recording"].includes(state);
  $("level").value = view.level ?? 0;
  $("mark").style.left = `${100 * (view.trigger ?? 0)}%`;
  $("seconds").hidden = state !== "countdown";
  if (state === "countdown") text($("seconds"), String(Math.max(1, Math.ceil(view.left))));
}

// The curtain hides the picture where there is none, or somebody else is served.
export function showCurtain(view, told, fault, camera) {
  const what = curtainOf(view, told, fault, camera);
  $("curtain").hidden = !what;
  if (!what) return;
  $("curtain-title").hidden = !what.title;
  text($("curtain-title"), what.title ?? "");
  text($("curtain-said"), what.said);
  $("camera-start").hidden = !what.button;
  text($("camera-start"), what.button ?? "");
  $("camera-start").dataset.does = what.does ?? "";
}

function curtainOf(view, told, fault, camera) {
  if (told === "elsewhere") return { said: say("link.elsewhere"), button: say("link.here"), does: "open" };
  if (told === "full") return { said: say("link.full"), button: say("link.retry"), does: "open" };
  if (told === "denied") return { said: say("link.denied") };
  // Who never showed a picture has lost nothing, and who waits for a file's answer is there.
  if (view.at === "idle" && camera.shown && !isSending()) return { title: say("idle.title"), said: say("idle.why"), button: say("idle.again"), does: "again" };
  if (view.at === "waiting") {
    const place = view.place === 1 ? say("queue.next") : say("queue.place", view);
    return { title: say("queue.title"), said: `${place} ${say("queue.served", view)}` };
  }
  if (view.state === "failed") return { title: say("failed.title"), said: say("failed.why") };
  if (fault) return { said: say(fault), button: say("camera.again"), does: "camera" };
  if (camera.on && view.at !== "idle") return null;
  return { said: say("camera.why"), button: say("camera.start"), does: camera.on ? "again" : "camera" };
}
