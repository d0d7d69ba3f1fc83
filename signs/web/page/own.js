// Signs of the visitor's own: who signs, what she allows once, takes of the camera, the last one thrown away.

import { $, make, text } from "./elements.js";
import { lookAgain } from "./learn.js";
import { say } from "./words.js";

let changes = -1, signer = "", asked = "", underway = false, scrolled = false;
let lacking = "";  // what is missing before anything can be sent

export function prepareOwn(order) {
  if (!$("own-person")) return;
  $("own-person").addEventListener("submit", event => { event.preventDefault(); sayWho(order); });
  $("own-other").addEventListener("click", () => { complete(); order("signer", { name: "" }); });
  $("own-take").addEventListener("submit", event => {
    event.preventDefault();
    if (underway) return order("start");  // the sign is over before its time
    begin(order, "take");
  });
  $("own-pause").addEventListener("click", () => begin(order, "pause"));
  $("own-undo").addEventListener("click", () => { complete(); order("undo"); });
}

// Whether nothing is missing; else a line says what, and the focus is where it belongs.
function complete(...needs) {
  const lack = needs.find(([field, there]) => !there(field));
  lacking = lack ? say(lack[2]) : "";
  text($("own-fault"), lacking);
  lack?.[0].focus();
  return !lack;
}

const typed = field => Boolean(field.value.trim());

function sayWho(order) {
  const value = { name: $("own-name").value };
  const first = $("own-consent").querySelector("[type=checkbox]");
  const ticked = box => !asked || $("own-name").value !== asked || box.checked;
  if (!complete([$("own-name"), typed, "own.lack.name"], [first, ticked, "own.lack.consent"])) return;
  if (asked && value.name === asked) {  // else another name was typed, and its person is asked anew
    value.scope = [...$("own-consent").querySelectorAll(":checked")].map(box => box.value);
    value.given_by = $("own-given").value;
  }
  order("signer", value);
}

function begin(order, what) {
  const needs = [[$("own-seconds"), field => typed(field) && field.checkValidity(), "own.lack.seconds"]];
  if (what === "take") needs.unshift([$("own-sign"), typed, "own.lack.sign"]);
  if (!complete(...needs)) return;
  order(what, { sign: $("own-sign").value, seconds: Number($("own-seconds").value) });
  const before = scrollY;
  $("frame").scrollIntoView({ block: "nearest" });
  scrolled = scrollY !== before;
}

export function showOwn(view, cameraOn) {
  const own = view.own;
  if (!$("own-person") || !own) return;
  if (underway && view.mode !== "own" && scrolled) $("own-take").scrollIntoView({ block: "center" });  // to the next one
  underway = view.mode === "own";
  showPerson(own);
  $("own-record").disabled = $("own-pause").disabled = !cameraOn;
  $("own-undo").disabled = !own.undo || underway;
  text($("own-record"), say(underway ? "start.own" : "own.record"));
  text($("own-said"), cameraOn || !own.signer ? saidOf(own) : say("own.camera"));
  $("own-said").className = own.notes.length ? "doubtful" : "truth";
  text($("own-fault"), lacking || own.fault);
  if (own.changes !== changes) {
    changes = own.changes;
    showSigns();
    lookAgain();
  }
}

function showPerson(own) {
  if (own.asked !== asked) {
    asked = own.asked;
    $("own-consent").hidden = !asked;
    $("own-consent").querySelectorAll("[type=checkbox]").forEach(box => { box.checked = false; });
    $("own-given").value = "";
    text($("own-asked"), asked && say("own.asked", { name: asked }));
    if (asked) {
      $("own-name").value = asked;  // as the folder spells it
      $("own-asked").focus();
    }
  }
  if (own.signer === signer) return;
  signer = own.signer;
  const inside = $("own-person").contains(document.activeElement) || $("own-work").contains(document.activeElement);
  $("own-person").hidden = Boolean(signer);
  $("own-work").hidden = $("own-more").hidden = !signer;
  text($("own-who"), signer);
  $("own-name").value = "";
  if (inside) $(signer ? "own-sign" : "own-name").focus();
}

function saidOf(own) {
  const said = own.said.word ? [say(`own.said.${own.said.word}`, own.said)] : [];
  if (own.notes.length) said.push(say("own.notes", { notes: own.notes.join("; ") }));
  return said.join(" ");
}

async function showSigns() {
  const { signs } = await (await fetch("/own.json")).json();
  const rows = signs.map(sign => make("li", say("own.row", { name: sign.pause ? say("own.pauses") : sign.name, takes: sign.takes })));
  $("own-signs").replaceChildren(...(rows.length ? rows : [make("li", say("history.empty"), { className: "quiet" })]));
  $("own-known").replaceChildren(...signs.filter(sign => !sign.pause).map(sign => make("option", "", { value: sign.name })));
}
