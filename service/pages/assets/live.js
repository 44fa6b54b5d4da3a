// Keeps a page as fresh as what it shows. The page is complete without it.
//
// A browser allows six open connections to one host, so all its tabs share one stream of
// events: the tab that holds the lock reads it and tells the others through a channel. When
// that tab is closed the lock goes to the next. Without locks or channels a tab reads alone.
"use strict";

const LEAST_MILLISECONDS = 1000; // between two looks of one page at the server
const AWAY_AFTER_MILLISECONDS = 3000; // a shorter break is not worth a word
const LONGEST_WAIT_MILLISECONDS = 30000; // between two tries to reach a service that is away
const KINDS = ["study", "step", "trial", "points", "gone", "reset"];
const ROOT = new URL("..", document.querySelector("script[src*='live.js']").src).pathname.replace(/\/$/, "");
const live = document.getElementById("live");
const note = document.getElementById("fresh");
const banner = document.getElementById("away");
let lastUpdate = new Date();

function clock(date) {
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function say(text) {
  note.hidden = !text;
  if (note.textContent !== text) note.textContent = text;
}

function sayAway(isAway) {
  const text = isAway
    ? `The service is not reachable. What you see is from ${clock(lastUpdate)}; trying again.`
    : "";
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = !isAway;
}

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
}

// Changes what differs and leaves the rest alone: focus, scroll, what was typed and open
// details stay.
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

// ---- this page ----

let busy = false;
let pending = false;
let failures = 0;

async function refresh() {
  if (busy) { pending = true; return; }
  busy = true;
  pending = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) { location.reload(); return; }
    if (answer.status === 404) { location.reload(); return; } // it was deleted: the page says so
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = fresh.getElementById("live");
    localise(part);
    document.title = fresh.title;
    patch(live, part);
    lastUpdate = new Date();
    failures = 0;
    sayAway(false);
    if (wantsStream() || live.dataset.refreshSeconds) say("live");
    else { say("finished"); leave(); }
  } catch {
    failures += 1;
    sayAway(true);
    say("");
    setTimeout(refresh, Math.min(LONGEST_WAIT_MILLISECONDS, 1000 * 2 ** (failures - 1)));
  }
  setTimeout(() => { busy = false; if (pending) refresh(); }, LEAST_MILLISECONDS);
}

function wantsStream() {
  return Boolean(live.dataset.live);
}

// What this page needs to be told: everything, or one study from an event on.
function wish() {
  return live.dataset.live === "study"
    ? { study: live.dataset.study, after: Number(live.dataset.after) }
    : { study: "*", after: 0 };
}

function heed({ kind, study, sequence }) {
  if (kind === "live") {
    if (!banner.hidden) refresh();
    say("live");
  } else if (kind === "away") {
    say("");
    sayAway(true);
  } else if (kind === "reset") {
    refresh();
  } else if (live.dataset.live === "studies") {
    if (kind !== "points") refresh();
  } else if (study === live.dataset.study && !(sequence <= Number(live.dataset.after))) {
    // A page that nobody looks at catches up with its curves when it is looked at.
    if (kind === "points" && document.hidden) pending = true;
    else refresh();
  }
}

// ---- the stream that all tabs share ----
//
// Tabs tell the one that leads what they wish to hear of; it tells them what happens:
//   { tab, wish }              from a tab; no wish: it is going
//   { asks: true }             from a new leader: say your wishes
//   { kind, study, sequence }  from the leader: an event, or live, away, reset
//   { kind, to }               the same for one tab alone

const me = Math.random().toString(36).slice(2);
const channel = "BroadcastChannel" in window ? new BroadcastChannel(`sevenstep-live:${ROOT}`) : null;
const wishes = new Map(); // by tab
const seen = new Map(); // the newest sequence, by study
let isLeader = false;
let stream = null;
let streamOf = "";
let awayTimer = 0;
let retry = 0;

function tell(message) {
  heed(message);
  if (channel) channel.postMessage(message);
}

// The studies that are wished for, "*" for all of them.
function wanted() {
  const names = [...wishes.values()].map(({ study }) => study);
  return names.includes("*") ? "*" : [...new Set(names)].sort().join(",");
}

// Each study from the oldest page of it on, or from what was heard of it already.
function address() {
  if (streamOf === "*") return `${ROOT}/api/v1/events`;
  const named = streamOf.split(",").map((study) => {
    const shown = [...wishes.values()].filter((wish) => wish.study === study).map(({ after }) => after);
    return `${study}:${Math.max(seen.get(study) ?? 0, Math.min(...shown))}`;
  });
  return `${ROOT}/api/v1/events?studies=${named.join(",")}`;
}

function open() {
  if (!isLeader || (stream && wanted() === streamOf)) return;
  if (stream) stream.close();
  stream = null;
  streamOf = wanted();
  if (!streamOf) return;
  const mine = new EventSource(address());
  stream = mine;
  mine.onopen = () => {
    clearTimeout(awayTimer);
    awayTimer = 0;
    retry = 0;
    // A stream of all studies begins now: what happened since a page was made is looked up.
    if (streamOf === "*" && mine.readyState === EventSource.OPEN) tell({ kind: "reset" });
    tell({ kind: "live" });
  };
  mine.onerror = () => {
    if (mine !== stream) return;
    awayTimer ||= setTimeout(() => tell({ kind: "away" }), AWAY_AFTER_MILLISECONDS);
    if (mine.readyState !== EventSource.CLOSED) return; // it comes back by itself
    stream = null; // a browser gives up after a refusal: try again, ever less often
    retry += 1;
    setTimeout(open, Math.min(LONGEST_WAIT_MILLISECONDS, 500 * 2 ** retry));
  };
  for (const kind of KINDS) {
    mine.addEventListener(kind, (event) => {
      const { study, sequence } = JSON.parse(event.data);
      if (sequence !== undefined) seen.set(study, sequence);
      tell({ kind, study, sequence });
    });
  }
}

function join() {
  if (!wantsStream()) return;
  if (isLeader) wishes.set(me, wish());
  else if (channel) channel.postMessage({ tab: me, wish: wish() });
}

function leave() {
  wishes.delete(me);
  if (channel) channel.postMessage({ tab: me });
  open();
}

function lead() {
  isLeader = true;
  join();
  if (!channel) { open(); return; }
  channel.postMessage({ asks: true });
  setTimeout(open, 50); // the others answer first: one stream is opened for all of them
}

function welcome(tab, wished) {
  wishes.set(tab, wished);
  const isBehind = wished.study === "*" || (seen.get(wished.study) ?? 0) > wished.after;
  const was = stream;
  if (stream) open(); // else one is about to be opened
  if (isBehind) channel.postMessage({ kind: "reset", to: tab });
  if (stream === was && stream?.readyState === EventSource.OPEN) channel.postMessage({ kind: "live", to: tab });
}

function listen({ data }) {
  if (data.asks) { join(); return; }
  if (data.tab === undefined) { if (data.to === undefined || data.to === me) heed(data); return; }
  if (!isLeader) return;
  if (data.wish) welcome(data.tab, data.wish);
  else if (wishes.delete(data.tab)) open();
}

localise(document);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && pending && !busy) refresh();
});
if (live.dataset.refreshSeconds) {
  say("live");
  setInterval(() => { if (!document.hidden && !failures) refresh(); }, 1000 * Number(live.dataset.refreshSeconds));
}
if (wantsStream()) {
  if (channel) {
    channel.addEventListener("message", listen);
    window.addEventListener("pagehide", leave);
    join();
  }
  if (channel && navigator.locks) {
    // Held as long as this page lives.
    navigator.locks.request(`sevenstep-live:${ROOT}`, () => { lead(); return new Promise(() => {}); });
  } else {
    lead(); // each tab for itself
  }
}
