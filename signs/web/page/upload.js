// A video file: sent as it is, answered, deleted there; then what it was.

import { keptOf, offerTable, showThree, spokenOf, truthOf } from "./answer.js";
import { $, text } from "./elements.js";
import { prepareNaming } from "./naming.js";
import { say } from "./words.js";

const MOST = 100 * 1024 * 1024;

let clock = 0;  // of the seconds that a file takes; 0 where none is under way

export const isSending = () => clock !== 0;

export function prepareUpload() {
  $("file").addEventListener("change", () => {
    const file = $("file").files[0];
    $("file").value = "";
    if (!file) return;
    show(null);
    if (file.size > MOST) return text($("upload-said"), say("upload.large"));
    send(file);
  });
  const openNaming = prepareNaming("upload-naming", name => order("name", name), () => $("upload-name").focus());
  $("upload-name").addEventListener("click", openNaming);
  $("upload-nothing").addEventListener("click", () => order("nothing"));
  $("upload-back").addEventListener("click", () => order("take back"));
}

// What the video was.
async function order(what, value = null) {
  const response = await fetch("/upload/order", { method: "POST", body: JSON.stringify({ do: what, value }) });
  if (response.ok) show(await response.json());
  else text($("upload-fault"), say("correct.fault"));
}

function show(answer) {
  showThree($("upload-three"), answer, number => order("choose", number));
  $("upload-correct").hidden = !answer;
  text($("upload-none-why"), answer?.none ? say("answer.none.why") : "");
  $("upload-naming").hidden = true;
  $("upload-back").disabled = answer?.truth == null;
  text($("upload-truth"), answer ? truthOf(answer) : "");
  text($("upload-kept"), answer ? keptOf(answer) : "");
  text($("upload-fault"), answer ? answer.refused || (answer.fault && say("correct.fault")) : "");
}

function send(file) {
  const request = new XMLHttpRequest();  // fetch does not say how much was sent
  request.open("POST", "/upload");
  request.responseType = "json";
  request.upload.onprogress = event => {
    $("upload-progress").value = event.loaded / (event.total || 1);
    if (event.loaded === event.total) looking();
  };
  request.onload = () => { done(); answered(request.response ?? {}); };
  request.onerror = () => { done(); text($("upload-said"), say("upload.lost")); };
  text($("upload-said"), `${say("upload.sending")}: ${file.name}`);
  const began = performance.now();
  const tick = () => text($("upload-seconds"), say("upload.seconds", { seconds: Math.round((performance.now() - began) / 1000) }));
  tick();
  clock = setInterval(tick, 1000);
  $("upload-seconds").hidden = false;
  $("file").disabled = true;
  $("upload-progress").hidden = false;
  request.send(file);
}

function looking() {
  text($("upload-said"), say("upload.looking"));
  $("upload-progress").removeAttribute("value");  // how long it takes is not known
}

function done() {
  $("file").disabled = false;
  $("upload-progress").hidden = $("upload-seconds").hidden = true;
  clearInterval(clock);
  clock = 0;
}

function answered(answer) {
  if (!answer.ranked) return text($("upload-said"), answer.problem ?? say("upload.lost"));
  text($("upload-said"), [spokenOf(answer).spoken, ...answer.notes].join(". "));
  offerTable();
  show(answer);
}
