// What every page shares: focus on the error summary, busy buttons, shown passwords, dialogs, toasts, the folding
// panel and the file drop. Each page works without it; this makes it quicker to use.

import { enhanceFileDrops } from "./file-drop.js";

const TOAST_SECONDS = 8;
const PHONE = window.matchMedia("(max-width: 60rem)");

function setBusy(button) {
  button.setAttribute("aria-busy", "true");
  button.setAttribute("aria-disabled", "true");
  const label = button.querySelector("span");
  if (button.dataset.busyLabel && label) {
    button.dataset.idleLabel ??= label.textContent;
    label.textContent = button.dataset.busyLabel;
  }
}

function setIdle(button) {
  button.removeAttribute("aria-busy");
  button.removeAttribute("aria-disabled");
  const label = button.querySelector("span");
  if (button.dataset.idleLabel && label) label.textContent = button.dataset.idleLabel;
}

// A form is sent once. A script that takes over the sending calls preventDefault and may call `idle` later.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  const button = event.submitter;
  queueMicrotask(() => {
    if (event.defaultPrevented || form.method === "dialog") return;
    form.dataset.sent = "yes";
    if (button?.classList.contains("button")) setBusy(button);
  });
});

// Coming back by the browser's own button shows the page as it was before it was sent.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll('.button[aria-busy="true"]')) setIdle(button);
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.opens);
    if (dialog?.showModal) {
      event.preventDefault();
      dialog.showModal();
    }
    return;
  }
  if (event.target.closest("[data-closes]")) {
    event.target.closest("dialog")?.close();
    return;
  }
  if (event.target.closest('.button[aria-disabled="true"]')) {
    event.preventDefault();
    return;
  }
  const reveal = event.target.closest("[data-reveal]");
  if (reveal) {
    const input = document.getElementById(reveal.getAttribute("aria-controls"));
    const shown = reveal.getAttribute("aria-pressed") === "true";
    reveal.setAttribute("aria-pressed", String(!shown));
    input.type = shown ? "password" : "text";
    return;
  }
  event.target.closest("[data-toast-close]")?.closest("[data-toast]").remove();
});

// A toast goes by itself, but never while it is pointed at or holds the focus, nor when it offers something to press.
function watchToast(toast) {
  if (toast.dataset.watched || toast.querySelector("a") || toast.closest("[data-keep]")) return;
  toast.dataset.watched = "yes";
  const end = () => {
    if (toast.matches(":hover, :focus-within")) setTimeout(end, 2000);
    else toast.remove();
  };
  setTimeout(end, TOAST_SECONDS * 1000);
}

function foldPanel(panel) {
  const handle = panel.querySelector("[data-panel-handle]");
  const fold = (folded) => {
    panel.classList.toggle("reader-panel--folded", folded);
    handle.setAttribute("aria-expanded", String(!folded));
  };
  // What has to be seen (a fingerprint to compare, progress, a failure) opens the sheet on a phone too.
  const matters = () => panel.querySelector("[data-panel-open]") !== null;
  const follow = () => {
    handle.hidden = !PHONE.matches;
    panel.classList.toggle("reader-panel--folds", PHONE.matches);
    fold(PHONE.matches && !matters());
  };
  handle.addEventListener("click", () => fold(handle.getAttribute("aria-expanded") === "true"));
  PHONE.addEventListener("change", follow);
  document.addEventListener("htmx:afterSwap", () => matters() && fold(false));
  follow();
}

export function enhance(root) {
  for (const button of root.querySelectorAll("[data-reveal]")) button.hidden = false;
  for (const toast of root.querySelectorAll("[data-toast]")) watchToast(toast);
  for (const panel of root.querySelectorAll("[data-panel]")) foldPanel(panel);
  enhanceFileDrops(root, enhance);
  root.querySelector("[data-focus]")?.focus();
}

document.addEventListener("htmx:afterSwap", (event) => {
  for (const toast of document.querySelectorAll("[data-toast]")) watchToast(toast);
  for (const button of event.target.querySelectorAll("[data-reveal]")) button.hidden = false;
});
enhance(document);
