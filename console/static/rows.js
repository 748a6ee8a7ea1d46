// Rows of the list that open where they stand, and what comes into the list while it is looked at.

import { fill, ready } from "./page.js";

function opener(row) {
  return row.querySelector("a.open");
}

export function prepare(row) {
  const link = opener(row);
  row.classList.add("opens");
  link.setAttribute("role", "button");
  link.setAttribute("aria-expanded", String(row.classList.contains("open")));
  if (row.classList.contains("open")) link.setAttribute("aria-controls", `inside-${row.id}`);
}

async function filled(row, cell) {
  const held = cell.contains(document.activeElement);
  await fill(cell, row.dataset.detail);
  if (held) opener(row).focus({ preventScroll: true });
}

async function open(row) {
  const inside = document.createElement("tr");
  inside.className = "inline";
  inside.id = `inside-${row.id}`;
  inside.setAttribute("role", "row");
  const cell = inside.insertCell();
  cell.colSpan = 8;
  cell.setAttribute("role", "cell");
  row.classList.add("open");
  row.append(inside);
  prepare(row);
  try {
    await filled(row, cell);
  } catch {
    location.assign(opener(row).href);
  }
}

function close(row) {
  row.classList.remove("open");
  row.querySelector(".inline")?.remove();
  opener(row).removeAttribute("aria-controls");
  prepare(row);
}

function toggle(row) {
  if (row.classList.contains("open")) close(row);
  else open(row);
}

export function openable(changing) {
  changing.addEventListener("click", (event) => {
    const summary = event.target.closest(".summary");
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!summary || !plain) return;
    const link = event.target.closest("a");
    if (link) event.preventDefault();
    else if (String(getSelection())) return; // somebody is copying an id
    toggle(summary.parentElement);
  });
  changing.addEventListener("keydown", (event) => {
    const row = event.target.closest("tbody.row");
    if (row && event.key === " " && event.target.matches("a.open")) {
      event.preventDefault();
      toggle(row);
    } else if (row && event.key === "Escape" && row.classList.contains("open")) {
      close(row);
      opener(row).focus();
    }
  });
}

// Put the rows of `fresh` into the table, keeping each that has not changed and all that are open: how many are new.
export function merge(table, fresh) {
  const present = new Map([...table.tBodies].map((row) => [row.id, row]));
  let last = table.tHead;
  let added = 0;
  for (const next of [...fresh.tBodies]) {
    let row = present.get(next.id);
    present.delete(next.id);
    if (!row) {
      row = next;
      row.classList.add("new");
      ready(row);
      prepare(row);
      added += 1;
    } else if (row.dataset.revision !== next.dataset.revision) {
      update(row, next);
    }
    if (last.nextElementSibling !== row) last.after(row);
    last = row;
  }
  for (const row of present.values()) {
    if (row.classList.contains("open")) table.append(row);
    else row.remove();
  }
  return added;
}

function update(row, next) {
  const held = opener(row) === document.activeElement;
  row.dataset.revision = next.dataset.revision;
  const summary = next.querySelector(".summary");
  row.querySelector(".summary").replaceWith(summary);
  ready(summary);
  prepare(row);
  if (held) opener(row).focus({ preventScroll: true });
  const cell = row.querySelector(".inline > td");
  if (cell) filled(row, cell).catch(() => {});
}
