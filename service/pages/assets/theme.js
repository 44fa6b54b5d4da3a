// The theme a person chose, before anything is painted. Without it pages follow the system.
"use strict";

(() => {
  const KEY = "sevenstep-theme";
  const root = document.documentElement;

  function stored() {
    try { return localStorage.getItem(KEY) || ""; } catch { return ""; }
  }

  function show(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  show(stored());
  document.addEventListener("DOMContentLoaded", () => {
    const choice = document.getElementById("theme");
    choice.value = root.dataset.theme || "";
    choice.parentElement.hidden = false;
    choice.addEventListener("change", () => {
      show(choice.value);
      try { localStorage.setItem(KEY, choice.value); } catch { /* kept for this page alone */ }
    });
  });
  window.addEventListener("storage", (event) => { if (event.key === KEY) show(stored()); });
})();
