"use strict";
// Sorts tables by their heads, and finds signs as somebody types. Without it the tables stand sorted as they are.

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.dataset.sort) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map(row => [valueOf(row.cells[column], head.dataset.sort), row]);
      rows.sort(([one], [other]) => (up ? 1 : -1) * compare(one, other));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}

function valueOf(cell, kind) {
  const text = cell.dataset.value ?? cell.textContent.trim();
  return kind === "number" ? (text === "" ? -1 : Number(text)) : text;
}

function compare(one, other) {
  return typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true });
}

function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

function searchable(box) {
  const table = document.getElementById(box.dataset.table);
  const field = box.querySelector("input"), said = box.querySelector("[role=status]");
  const rows = [...table.tBodies[0].rows].map(row => [[...row.querySelectorAll(".name")].map(cell => plain(cell.textContent)), row]);
  box.hidden = false;
  field.addEventListener("input", () => {
    const wanted = plain(field.value.trim());
    rows.forEach(([names, row]) => { row.hidden = !names.some(name => name.includes(wanted)); });
    const found = rows.filter(([, row]) => !row.hidden).length;
    said.textContent = wanted ? `${found} of ${rows.length} signs` : "";
  });
}

document.querySelectorAll("table.sortable").forEach(sortable);
document.querySelectorAll(".search").forEach(searchable);
