// Live updates: every event of the order reloads the parts of the page that may change.
"use strict";
const live = document.getElementById("live");

async function refresh() {
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (answer.redirected || !answer.ok) throw new Error("the page cannot be read");
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const now = fresh.getElementById(part.id);
    if (now && now.innerHTML !== part.innerHTML) {
      const hadFocus = part.contains(document.activeElement);
      part.replaceChildren(...now.childNodes);
      if (hadFocus) document.getElementById("main").focus({ preventScroll: true });
    }
  }
  const latest = document.querySelector("#timeline .text");
  if (latest) live.textContent = latest.textContent;
}

function follow() {
  const source = new EventSource(`${live.dataset.events}?after=${live.dataset.version}`);
  let waiting;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => refresh().catch(stop), 100);
  };
  const stop = () => {
    source.close();
    live.textContent = "Live updates have ended: reload the page.";
  };
  for (const code of live.dataset.codes.split(" ")) source.addEventListener(code, soon);
  source.addEventListener("open", () => {
    if (!live.textContent) live.textContent = "Live: the page updates automatically.";
  });
  source.addEventListener("error", () => {
    // The server ended the stream: no more events are expected, or the limit of streams is reached.
    if (source.readyState === EventSource.CLOSED) live.textContent = "";
  });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}

if (live) follow();
