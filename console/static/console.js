// Puts new initiations in place, opens a row where it stands. Without it every link and form works as a page.
"use strict";
(() => {
  // Milliseconds between looks, while all is well and at most while it is not; and between two spoken words of news.
  const EVERY = 3000;
  const SLOWEST = 60000;
  const TELL_EVERY = 20000;

  const element = (id) => document.getElementById(id);

  function parsed(html) {
    const template = document.createElement("template");
    template.innerHTML = html; // ours: every value in it is escaped by the service
    return template.content;
  }

  async function got(url, headers = {}) {
    return fetch(url, { headers, cache: "no-store", credentials: "same-origin" });
  }

  // --- times and copies -----------------------------------------------------------------------------------------

  const ZONE = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" })
    .formatToParts()
    .find((part) => part.type === "timeZoneName").value;

  // How long ago, or in how long, in one unit.
  function relative(when) {
    const past = Math.round((Date.now() - when) / 1000);
    const seconds = Math.abs(past);
    const [amount, unit] =
      seconds < 60 ? [seconds, "s"] : seconds < 3600 ? [seconds / 60, "min"] : seconds < 86400 ? [seconds / 3600, "h"] : [seconds / 86400, "d"];
    const text = `${Math.floor(amount)} ${unit}`;
    return past < 0 ? `in ${text}` : `${text} ago`;
  }

  // The reader's own time instead of UTC, which is shown where the pointer rests.
  function local(time) {
    const when = new Date(time.dateTime);
    const today = when.toDateString() === new Date().toDateString();
    const day = today ? "" : `${when.toLocaleDateString(undefined, { day: "numeric", month: "short" })} `;
    const clock = when.toLocaleTimeString(undefined, { hour12: false });
    const since = document.createElement("span");
    since.className = "ago";
    since.textContent = relative(when);
    time.replaceChildren(`${day}${clock} `, since);
    time.title = `${when.toISOString().replace("T", " ").slice(0, 19)} UTC`;
  }

  function refresh() {
    for (const time of document.querySelectorAll("time")) {
      const since = time.querySelector(".ago");
      if (since) since.textContent = relative(new Date(time.dateTime));
    }
  }

  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Over plain http there is no clipboard to write to but by a selection.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  async function copy(text, button) {
    const done = (await copied(text)) ? "Copied" : "Not copied";
    const news = element("copied");
    news.textContent = done;
    if (button) {
      const word = button.textContent;
      button.textContent = done;
      setTimeout(() => (button.textContent = word), 1500);
    }
    setTimeout(() => (news.textContent = ""), 1500);
  }

  // --- one initiation -------------------------------------------------------------------------------------------

  function ready(part) {
    for (const time of part.querySelectorAll("time")) local(time);
    for (const zone of part.querySelectorAll(".zone")) zone.textContent = ZONE;
    for (const button of part.querySelectorAll("button.copy")) button.hidden = false;
    for (const form of part.querySelectorAll("form.again")) {
      form.addEventListener("submit", () => {
        const button = form.querySelector("button");
        button.disabled = true;
        button.textContent = "Running…";
      });
    }
  }

  // Follow one that is at work until it has ended.
  function follow(place) {
    if (!place.querySelector("[data-running]")) return;
    setTimeout(async () => {
      try {
        const answer = document.hidden ? null : await got(place.dataset.detail);
        if (answer && answer.ok) {
          place.replaceChildren(parsed(await answer.text()));
          ready(place);
        }
      } catch {
        // The next look may go better.
      }
      follow(place);
    }, EVERY);
  }

  // --- rows that open -------------------------------------------------------------------------------------------

  function opener(row) {
    return row.querySelector("a.open");
  }

  function prepare(row) {
    const link = opener(row);
    row.classList.add("opens");
    link.setAttribute("role", "button");
    link.setAttribute("aria-expanded", String(row.classList.contains("open")));
    if (row.classList.contains("open")) link.setAttribute("aria-controls", `inside-${row.id}`);
  }

  async function filled(row, cell) {
    const answer = await got(row.dataset.detail);
    if (!answer.ok) throw new Error(String(answer.status));
    const held = cell.contains(document.activeElement);
    cell.replaceChildren(parsed(await answer.text()));
    ready(cell);
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

  function openable(changing) {
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

  // --- live -----------------------------------------------------------------------------------------------------

  // Put the rows of `fresh` into the table, keeping each that has not changed and all that are open: how many are new.
  function merge(table, fresh) {
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

  function teller() {
    const place = element("news");
    let untold = 0;
    let silent = false;
    function tell() {
      if (!untold || silent) return;
      place.textContent = untold === 1 ? "1 new initiation" : `${untold} new initiations`;
      untold = 0;
      silent = true;
      setTimeout(() => {
        silent = false;
        tell();
      }, TELL_EVERY);
    }
    return (count) => {
      untold += count;
      tell();
    };
  }

  function live(changing) {
    const bar = element("live");
    const word = element("live-word");
    const pause = element("pause");
    const tell = teller();
    let etag = "";
    let paused = false;
    let looking = false;
    let wait = EVERY;
    let timer = 0;

    function say(state, text) {
      bar.className = `live ${state}`;
      word.textContent = text;
    }

    function later() {
      clearTimeout(timer);
      if (!paused && !document.hidden) timer = setTimeout(look, wait);
    }

    function put(html) {
      const fresh = parsed(html);
      const strip = fresh.getElementById("strip");
      if (strip.innerHTML !== element("strip").innerHTML) element("strip").replaceWith(strip);
      ready(element("strip"));
      tell(merge(element("initiations"), fresh.getElementById("initiations")));
      const more = fresh.getElementById("more");
      if (more.innerHTML !== element("more").innerHTML) element("more").replaceWith(more);
      ready(element("more"));
    }

    async function look() {
      if (looking) return;
      looking = true;
      try {
        const answer = await got(changing.dataset.live, etag ? { "If-None-Match": etag } : {});
        if (answer.status === 401 || answer.status === 404) {
          say("lost", "Signed out; reload the page");
          return;
        }
        if (answer.status !== 304) {
          if (!answer.ok) throw new Error(String(answer.status));
          put(await answer.text());
          etag = answer.headers.get("ETag") ?? "";
        }
        wait = EVERY;
        if (!paused) say("", "Live");
      } catch {
        wait = Math.min(wait * 2, SLOWEST);
        if (!paused) say("lost", "Not reachable, retrying");
      } finally {
        looking = false;
      }
      later();
    }

    pause.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? "Resume" : "Pause";
      if (paused) {
        clearTimeout(timer);
        say("off", "Paused");
      } else {
        look();
      }
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) clearTimeout(timer);
      else if (!paused) look();
    });
    bar.hidden = false;
    later();
  }

  // --- keyboard -------------------------------------------------------------------------------------------------

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
      const row = document.activeElement?.closest("tbody.row");
      if (row) copy(row.dataset.copy);
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

  document.addEventListener("keydown", pressed);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button.dataset.copy ?? button.nextElementSibling.textContent, button);
  });
  element("keys").hidden = false;
  element("keys").addEventListener("click", () => element("help").showModal());
  setInterval(refresh, 10000);
  ready(document);

  const changing = element("changing");
  if (changing) {
    for (const row of element("initiations").tBodies) prepare(row);
    openable(changing);
    if (changing.dataset.live) live(changing);
  }
  const alone = element("alone");
  if (alone) follow(alone);
  // A page from the browser's memory may show what is no longer so, and a button that has been pressed.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
})();
