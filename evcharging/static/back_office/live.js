// Pieces of a page that are still to change (data-live) are asked for again until the server leaves the mark out.
"use strict";

function watch(piece) {
  const every = Number(piece.dataset.liveMs) || 1000;
  setTimeout(async () => {
    let next = piece;
    try {
      const response = await fetch(piece.dataset.live, { credentials: "same-origin" });
      if (response.ok && !response.redirected) {
        const template = document.createElement("template");
        template.innerHTML = await response.text();
        next = template.content.querySelector(".bo-live");
        piece.replaceWith(next);
      }
    } catch {
      // The server restarts; the next try finds it again.
    }
    if (next.dataset.live) watch(next);
  }, every);
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-live]").forEach(watch));
