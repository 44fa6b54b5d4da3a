// Keeps the page as fresh as the study. The page is complete without it.
"use strict";

const LEAST_MILLISECONDS = 1000; // between two looks at the server
const live = document.getElementById("live");
const note = document.getElementById("fresh");
let pending = false;
let busy = false;
let stream = null;
let lastUpdate = new Date();

function clock(date) {
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function say(text) {
  note.hidden = !text;
  if (note.textContent !== text) note.textContent = text;
}

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
}

// Changes what differs and leaves the rest alone: focus, scroll and open details stay.
function patch(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== 1 || old.nodeName !== fresh.nodeName || old instanceof SVGElement) {
    old.replaceWith(fresh);
    return;
  }
  const keep = old.nodeName === "DETAILS" && old.open;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (keep) old.open = true;
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, index) => {
    if (index < before.length) patch(before[index], node);
    else old.append(node);
  });
  before.slice(after.length).forEach((node) => node.remove());
}

async function refresh() {
  if (busy) { pending = true; return; }
  busy = true;
  pending = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) { location.reload(); return; }
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = fresh.getElementById("live");
    localise(part);
    document.title = fresh.title;
    patch(live, part);
    lastUpdate = new Date();
    if (!live.dataset.events && stream) { stream.close(); stream = null; say("finished"); }
    else if (stream || live.dataset.refreshSeconds) say("live");
  } catch {
    say(`not reachable, last update ${clock(lastUpdate)}`);
  }
  setTimeout(() => { busy = false; if (pending) refresh(); }, LEAST_MILLISECONDS);
}

function connect() {
  if (stream || !live.dataset.events) return;
  stream = new EventSource(`${live.dataset.events}?after=${live.dataset.after}`);
  stream.onopen = () => say("live");
  stream.onerror = () => {
    say(`reconnecting, last update ${clock(lastUpdate)}`);
    // A browser gives up after a refusal; a study that ended while we were away is seen by looking.
    if (stream && stream.readyState === EventSource.CLOSED) { stream = null; setTimeout(wake, 5000); }
  };
  for (const kind of ["study", "step", "trial", "points", "reset"]) stream.addEventListener(kind, refresh);
}

function wake() {
  if (document.hidden) return;
  refresh().then(connect);
}

// A browser allows six open streams to one host: a hidden tab gives its own back.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) { wake(); return; }
  if (stream) { stream.close(); stream = null; say(""); }
});

localise(document);
if (live.dataset.refreshSeconds) {
  setInterval(() => { if (!document.hidden) refresh(); }, 1000 * Number(live.dataset.refreshSeconds));
} else if (!document.hidden) {
  connect();
}
