// A video file: sent as it is, answered, deleted there.

import { $, make, text } from "./elements.js";
import { fillRow, spokenOf } from "./answer.js";
import { say } from "./words.js";

const MOST = 100 * 1024 * 1024;

export function prepareUpload() {
  $("file").addEventListener("change", () => {
    const file = $("file").files[0];
    $("file").value = "";
    if (!file) return;
    $("upload-three").replaceChildren();
    if (file.size > MOST) return text($("upload-said"), say("upload.large"));
    send(file);
  });
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
  $("upload-progress").hidden = true;
}

function answered(answer) {
  if (!answer.ranked) return text($("upload-said"), answer.problem ?? say("upload.lost"));
  text($("upload-said"), [spokenOf(answer).spoken, ...answer.notes].join(". "));
  $("upload-three").replaceChildren(...answer.ranked.map((row, number) => {
    const item = make("li");
    fillRow(item, row, number);
    return item;
  }));
}
