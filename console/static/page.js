// What every part of the console's pages is made with: getting it, the reader's own times, copies.

// Milliseconds between looks.
export const EVERY = 3000;

export const element = (id) => document.getElementById(id);

export function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // ours: every value in it is escaped by the service
  return template.content;
}

export async function got(url, headers = {}) {
  return fetch(url, { headers, cache: "no-store", credentials: "same-origin" });
}

// Put what is at a URL into a place, ready to be used.
export async function fill(place, url) {
  const answer = await got(url);
  if (!answer.ok) throw new Error(String(answer.status));
  place.replaceChildren(parsed(await answer.text()));
  ready(place);
}

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

export function refresh() {
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

// What parts say otherwise, while they say something for a moment.
const usual = new Map();

// Let a part say something for a moment, which begins anew each time.
function say(part, text) {
  const { words, timer } = usual.get(part) ?? { words: part.textContent };
  clearTimeout(timer);
  part.textContent = text;
  const end = () => {
    part.textContent = words;
    usual.delete(part);
  };
  usual.set(part, { words, timer: setTimeout(end, 1500) });
}

export async function copy(text, button) {
  const done = (await copied(text)) ? "Copied" : "Not copied";
  say(element("copied"), done);
  if (button) say(button, done);
}

// Make a part that has come ready to be used.
export function ready(part) {
  for (const time of part.querySelectorAll("time")) local(time);
  for (const zone of part.querySelectorAll(".zone")) zone.textContent = ZONE;
  for (const button of part.querySelectorAll("button.copy")) button.hidden = false;
  for (const form of part.querySelectorAll("form.action")) {
    form.addEventListener("submit", () => {
      const button = form.querySelector("button");
      button.disabled = true;
      button.textContent = "Running…";
    });
  }
}
