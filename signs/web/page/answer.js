// The answer, what it was, and the signs so far.

import { $, make, text } from "./elements.js";
import { say } from "./words.js";

let drawn = "", sent = false;

export const percent = probability => Math.round(100 * probability);

// {name, percent} in words, and whether it is none, unsure or sure.
export function spokenOf(answer) {
  const best = { name: answer.ranked[0].name, percent: percent(answer.ranked[0].probability) };
  if (answer.none) return { kind: "none", shown: say("answer.none"), spoken: say("answer.none") };
  if (!answer.known) {
    return { kind: "unsure", shown: say("answer.unsure", best), spoken: say("answer.spoken.unsure", best) };
  }
  return { kind: "", shown: best.name, spoken: say("answer.spoken", best) };
}

// A row of the three best: its key where it has one, name, how sure, as a bar too.
function fillRow(element, row, key) {
  const bar = make("span", "", { className: "bar" });
  bar.style.width = `${percent(row.probability)}%`;
  element.replaceChildren(...(key ? [make("kbd", key)] : []), make("bdi", row.name),
    make("span", `${percent(row.probability)} %`, { className: "percent" }), bar);
}

// The box below the answer, where somebody may allow that signs are kept: in a name, or in nobody's.
export function showConsent(view) {
  if (!$("consent") || view.keeps === undefined) return;
  $("consent-box").hidden = view.keeper === null;
  const words = { signer: view.keeper, folder: $("consent-box").dataset.folder };
  text($("consent-said"), say(view.keeper ? "consent.signer" : "consent", words));
  if (!$("consent").matches(":focus")) $("consent").checked = view.keeps;
}

export function showAnswer(view, order) {
  const answer = view.answer && !view.answer.underway ? view.answer : null;
  const now = JSON.stringify([answer, view.fault, view.refused, view.history, view.keeper, $("consent")?.checked]);
  if (now === drawn) return;
  drawn = now;
  const said = answer ? spokenOf(answer) : { kind: "none", shown: say("answer.waiting"), spoken: "" };
  $("best").className = `best ${said.kind}`;
  text($("best"), said.shown);
  text($("spoken"), said.spoken);
  text($("about"), answer ? aboutOf(answer) : "");
  text($("none-why"), answer?.none ? say("answer.none.why") : "");
  showThree($("three"), answer, number => order("choose", number), number => String(number + 1));
  $("correct").hidden = !answer;
  $("correct").querySelector('[data-do="take back"]').disabled = answer?.truth == null;
  text($("truth"), answer ? truthOf(answer) : "");
  text($("kept"), answer ? keptOf(answer) : "");
  text($("fault"), view.refused || (view.fault ? say("correct.fault") : ""));
  showHistory(view.history ?? []);
}

function aboutOf(answer) {
  const back = answer.of - answer.number;
  const parts = [say("answer.latency", { seconds: answer.latency.toFixed(2) })];
  if (!answer.known && !answer.none) parts.unshift(say("answer.unsure.why"));
  if (back) parts.unshift(back === 1 ? say("answer.before.one") : say("answer.before", { back }));
  return parts.join(" · ").replace(". ·", ".");
}

export function truthOf(answer) {
  if (answer.truth == null) return "";
  return answer.nothing ? say("correct.was.nothing") : say("correct.was", { name: answer.truth });
}

// Whether the clip of a corrected answer is kept, so that a model may learn from it, and why not.
export function keptOf(answer) {
  if (answer.truth == null) return "";
  if (answer.kept) return say("correct.kept");
  if (!$("consent")) return say("correct.not.here");
  if ($("consent-box").hidden) return say("correct.not.allowed");
  if (!$("consent").checked) return say("correct.not.ticked");
  return say(answer.pictures ? "correct.keeping" : "correct.not.before");
}

// Buttons stay the same elements, so that the focus stays where it is. keyOf: a row's number to its key, or nothing.
export function showThree(list, answer, pick, keyOf) {
  const rows = answer?.ranked ?? [];
  while (list.children.length > rows.length) list.lastChild.remove();
  rows.forEach((row, number) => {
    if (!list.children[number]) {
      const button = make("button", "", { type: "button" });
      button.addEventListener("click", () => pick(number));
      if (keyOf) button.setAttribute("aria-keyshortcuts", keyOf(number));
      list.append(make("li"));
      list.lastChild.append(button);
    }
    const button = list.children[number].firstChild;
    fillRow(button, row, keyOf?.(number));
    button.append(make("span", say("answer.pick"), { className: "unseen" }));
    button.setAttribute("aria-pressed", String(answer.truth === row.name));
  });
}

// A file was answered, so there is something to download.
export function offerTable() {
  sent = true;
  $("history-file").hidden = false;
}

function showHistory(lines) {
  $("history-file").hidden = !(lines.length || sent);
  const items = lines.map(line => make("li", line.known ? line.name : `${line.name}?`, { className: line.known ? "" : "unsure" }));
  $("history").replaceChildren(...(items.length ? items : [make("li", say("history.empty"), { className: "quiet" })]));
}
