// Single keys, the same as in the window of livedemo.py; they may be switched off, and rest while somebody types.

import { $ } from "./elements.js";

const TYPING = "input:not([type=checkbox]):not([type=file]), textarea, select";
const SPACED = "button, a, summary, input, label";  // what the space bar itself presses

export function prepareKeys(actions) {
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !$("keys-on").checked) return;
    if (event.target.matches(TYPING) || (event.key === " " && event.target.matches(SPACED))) return;
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
  // A button that was clicked gives the space bar back; one that a key pressed keeps the focus.
  document.addEventListener("click", event => {
    if (event.detail > 0) event.target.closest("button")?.blur();
  });
}
