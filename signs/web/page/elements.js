// Elements by their id, and texts that are set as text and as nothing else.

export const $ = id => document.getElementById(id);

export function text(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export function make(tag, words = "", properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  element.textContent = words;
  return element;
}
