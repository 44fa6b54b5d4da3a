// Writes out, while a person types, the request that the form makes. The page is complete
// without it: the same comes from the button "Show the command".
"use strict";

const QUIET_MILLISECONDS = 400; // after the last key before the server is asked
const form = document.querySelector("form.study-form");
const shown = document.getElementById("request");
let waiting = 0;
let asked = 0;

async function show() {
  const mine = ++asked;
  const fields = new URLSearchParams(new FormData(form));
  fields.set("intent", "preview");
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "text/html" } });
    if (mine !== asked) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("request");
    if (fresh) shown.replaceChildren(...fresh.childNodes);
  } catch {
    // The service is away: the button says so when it is pressed.
  }
}

if (form) {
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, QUIET_MILLISECONDS);
  });
  show();
}
