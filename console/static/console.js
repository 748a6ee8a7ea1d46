// The console's pages as they come alive. Without scripts every link and form works as a page.

import { EVERY, copy, element, fill, ready, refresh } from "./page.js";
import { openable, prepare } from "./rows.js";
import { live } from "./live.js";

// Follow one that is at work until it has ended.
function follow(place) {
  if (!place.querySelector("[data-running]")) return;
  setTimeout(async () => {
    try {
      if (!document.hidden) await fill(place, place.dataset.detail);
    } catch {
      // The next look may go better.
    }
    follow(place);
  }, EVERY);
}

function step(by) {
  const links = [...document.querySelectorAll("#initiations a.open")];
  const at = links.indexOf(document.activeElement?.closest("tbody.row")?.querySelector("a.open"));
  const next = links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

const KEYS = {
  "/": () => element("q")?.focus(),
  j: () => step(1),
  k: () => step(-1),
  c: () => {
    const one = document.activeElement?.closest("tbody.row") ?? element("alone");
    if (one) copy(one.dataset.copy);
  },
  "?": () => element("help").showModal(),
};

function pressed(event) {
  const typing = event.target.matches("input, select, textarea") || element("help").open;
  const act = event.ctrlKey || event.metaKey || event.altKey || typing ? undefined : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

element("keys").hidden = false;
element("keys").addEventListener("click", KEYS["?"]);
document.addEventListener("keydown", pressed);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (button) copy(button.dataset.copy ?? button.nextElementSibling.textContent, button);
});
setInterval(refresh, 10000);
ready(document);

const changing = element("changing");
if (element("initiations")) {
  for (const row of element("initiations").tBodies) prepare(row);
  openable(changing);
}
if (changing?.dataset.live) live(changing);
const alone = element("alone");
if (alone) follow(alone);
// A page from the browser's memory may show what is no longer so, and a button that has been pressed.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
