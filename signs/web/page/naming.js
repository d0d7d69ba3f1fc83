// A sign's name that is typed: N opens the field, Enter says it, Esc leaves.

import { $, make } from "./elements.js";

export function prepareNaming(order, names) {
  $("known").replaceChildren(...names.map(name => make("option", "", { value: name })));
  const close = () => { $("naming").hidden = true; order("aside"); $("answer").focus(); };
  $("naming").addEventListener("submit", event => {
    event.preventDefault();
    const name = $("name").value.trim();
    if (name) order("name", name);
    close();
  });
  $("leave").addEventListener("click", close);
  $("naming").addEventListener("keydown", event => { if (event.key === "Escape") close(); });
}

export function openNaming() {
  if ($("correct").hidden) return;
  $("naming").hidden = false;
  $("name").value = "";
  $("name").focus();
}
