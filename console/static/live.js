// Keeps a page as it would be if it were loaded anew, as long as somebody looks at it.

import { EVERY, element, got, parsed, ready } from "./page.js";
import { merge } from "./rows.js";

// Milliseconds between looks at most, while all is not well; and between two spoken words of news.
const SLOWEST = 60000;
const TELL_EVERY = 20000;

function teller() {
  const place = element("announcement");
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

export function live(changing) {
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

  // Somebody reads with the pointer or the keyboard in it; a list's rows are kept one by one, so that it does no harm.
  function inUse() {
    return !element("initiations") && (changing.contains(document.activeElement) || Boolean(String(getSelection())));
  }

  function put(html) {
    const fresh = parsed(html);
    if (!element("initiations")) {
      changing.replaceChildren(fresh);
      ready(changing);
      return;
    }
    tell(merge(element("initiations"), fresh.getElementById("initiations")));
    for (const id of ["strip", "more"]) {
      const part = fresh.getElementById(id);
      const held = element(id).contains(document.activeElement);
      element(id).replaceWith(part);
      ready(part);
      if (held) part.querySelector("a")?.focus({ preventScroll: true });
    }
  }

  async function look() {
    if (looking || inUse()) {
      later();
      return;
    }
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
