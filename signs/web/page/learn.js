// Learning: learn.py runs on the server, its lines are shown as text, and the page says when the new model is there.

import { $, make, text } from "./elements.js";
import { say } from "./words.js";

const EVERY = 1000;  // ms between two looks while it runs

let asking = false;

export function prepareLearn() {
  if (!$("learn-go")) return;
  $("learn-go").addEventListener("click", () => begin("learn"));
  $("learn-back").addEventListener("click", () => begin("back"));
  $("learn-share").addEventListener("click", share);
  $("learn-anew").addEventListener("click", () => location.reload());
  look();
}

async function begin(what) {
  const response = await fetch("/learn", { method: "POST", body: JSON.stringify({ do: what }) });
  const answer = await response.json();
  text($("learn-fault"), answer.problem ?? "");
  look();
}

// The zip is made when it is asked for; where it cannot be, the page says why instead of a download that failed.
async function share() {
  $("learn-share").disabled = true;
  text($("learn-said"), say("learn.shares"));
  const response = await fetch("/model.zip");
  const answer = response.ok ? await response.blob() : await response.json().catch(() => ({}));
  if (response.ok) {
    const address = URL.createObjectURL(answer);
    make("a", "", { href: address, download: "model.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
  text($("learn-said"), response.ok ? say("learn.shared") : "");
  text($("learn-fault"), response.ok ? "" : say("learn.failed", { last: answer.problem ?? "" }));
  $("learn-share").disabled = false;
}

async function look() {
  if (asking) return;
  asking = true;
  try {
    const response = await fetch("/learn.json");
    if (response.ok) show(await response.json());
  } catch { /* the connection is lost, which the page says above */ } finally { asking = false; }
}

// For who has recorded another sign.
export function lookAgain() {
  if ($("learn-go")) look();
}

function saidOf(state) {
  if (state.running && state.ready) return say("learn.ready");
  if (state.running) return state.step || say("learn.runs");
  if (state.ended === "done") return say("learn.done", state);
  return state.enough ? "" : say("learn.few");
}

function show(state) {
  $("learn-go").disabled = state.running || !state.enough;
  $("learn-back").disabled = state.running || !state.before;
  $("learn-back-why").hidden = !state.before;
  $("learn-share").disabled = state.running || !state.learnt;
  $("learn-knows").hidden = !state.enough;
  text($("learn-knows"), say("learn.knows", { signs: state.signs.join(", ") }));
  $("learn-anew").hidden = !state.older || state.running;
  $("learn-more").hidden = !state.lines.length;
  text($("learn-lines"), state.lines.join("\n"));
  $("learn-time").hidden = !state.running;
  text($("learn-time"), say("learn.time", state));
  $("learn-good").hidden = !state.report.length;
  $("learn-report").replaceChildren(...state.report.map(line => make("li", line)));
  text($("learn-said"), saidOf(state));
  if (state.ended === "failed") text($("learn-fault"), say(state.why ? `learn.failed.${state.why}` : "learn.failed", state));
  else if (state.ended || state.running) text($("learn-fault"), "");
  if (state.running) setTimeout(look, EVERY);
}
