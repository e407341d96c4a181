// Polls data-live of an element and replaces the element by the answer, until an answer comes without data-live.
"use strict";

function poll(element) {
  const interval = Number(element.dataset.liveMs) || 1000;
  setTimeout(async () => {
    let next = element;
    try {
      const response = await fetch(element.dataset.live, { credentials: "same-origin" });
      if (response.ok && !response.redirected) {
        const template = document.createElement("template");
        template.innerHTML = await response.text();
        next = template.content.querySelector(".bo-live");
        element.replaceWith(next);
      }
    } catch {
      // The server is restarting: the next poll reaches it again.
    }
    if (next.dataset.live) poll(next);
  }, interval);
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-live]").forEach(poll));
