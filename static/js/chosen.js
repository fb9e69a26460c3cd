// Choosing several rows of a list: all at once, a range with Shift, from row to row with the arrow keys, none with
// Escape. Without it the boxes still work one by one.

for (const form of document.querySelectorAll("[data-chosen]")) {
  const boxes = [...form.querySelectorAll('tbody input[type="checkbox"]')];
  const all = form.querySelector("[data-choose-all]");
  const count = form.querySelector("[data-chosen-count]");
  let last = null;

  const tell = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && !all.checked;
    count.textContent = chosen ? count.dataset.words.replace("%s", String(chosen)) : "";
  };

  all.closest("label").hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  form.addEventListener("click", (event) => {
    const at = boxes.indexOf(event.target);
    if (at < 0) return;
    if (event.shiftKey && last !== null) {
      for (const box of boxes.slice(Math.min(at, last), Math.max(at, last) + 1)) box.checked = boxes[at].checked;
    }
    last = at;
  });
  form.addEventListener("change", tell);
  form.addEventListener("keydown", (event) => {
    const at = boxes.indexOf(event.target);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (at >= 0 && step) {
      event.preventDefault();
      boxes[at + step]?.focus();
    } else if (event.key === "Escape" && boxes.some((box) => box.checked)) {
      for (const box of boxes) box.checked = false;
      tell();
    }
  });
  // A download leaves the page where it is: its form may be sent again.
  form.addEventListener("submit", (event) => {
    if (event.submitter?.value !== "download") return;
    setTimeout(() => {
      delete form.dataset.sent;
      const label = event.submitter.querySelector("span");
      event.submitter.removeAttribute("aria-busy");
      event.submitter.removeAttribute("aria-disabled");
      if (event.submitter.dataset.idleLabel && label) label.textContent = event.submitter.dataset.idleLabel;
    }, 1000);
  });
  tell();
}
