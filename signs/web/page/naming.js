// A sign's name that is typed: Enter says it, Esc leaves.
//
//   const open = prepareNaming("naming", name => ..., () => ...)     a form's id, what it was, and what comes behind

import { $, make } from "./elements.js";

export function prepareNames(names) {
  $("known").replaceChildren(...names.map(name => make("option", "", { value: name })));
}

export function prepareNaming(id, be, left) {
  const form = $(id), field = form.querySelector("input");
  const close = () => { form.hidden = true; left(); };
  form.addEventListener("submit", event => {
    event.preventDefault();
    const name = field.value.trim();
    if (name) be(name);
    close();
  });
  form.querySelector("[type=button]").addEventListener("click", close);
  form.addEventListener("keydown", event => { if (event.key === "Escape") close(); });
  return () => {
    form.hidden = false;
    field.value = "";
    field.focus();
  };
}
