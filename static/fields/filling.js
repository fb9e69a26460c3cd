// One field after the other: the panel asks, the page shows where. Without this the panel asks for all of them at once.

import { put } from "./geometry.js";

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

class Item {
  constructor(element) {
    this.element = element;
    this.input = element.querySelector("input");
    this.page = Number(element.dataset.page);
    this.box = JSON.parse(element.dataset.box);
    this.size = JSON.parse(element.dataset.size);
    this.required = element.dataset.required === "yes";
    this.name = element.dataset.name;
  }

  // A tick, a signature or initials: put or not.
  get isPut() {
    return this.input?.type === "checkbox";
  }

  get value() {
    if (!this.input) return this.element.dataset.value;
    if (this.isPut) return this.input.checked ? "yes" : "";
    return this.input.value.trim();
  }

  get isDone() {
    return this.value !== "";
  }

  get isMissing() {
    return this.required && !this.isDone;
  }

  get picture() {
    return this.element.querySelector(".look");
  }
}

class Filling {
  constructor(root) {
    this.root = root;
    this.text = root.dataset;
    this.items = [...root.querySelectorAll("[data-fill-item]")].map((element) => new Item(element));
    this.isAsking = this.items.some((item) => item.input);
    this.at = 0;
    document.addEventListener("reader:laid", (event) => this.lay(event.detail.reader));
    if (this.isAsking) this.guide();
  }

  part(name) {
    return this.root.querySelector(`[data-fill-${name}]`);
  }

  guide() {
    this.root.dataset.fillGuided = "yes";
    this.part("steps").hidden = false;
    this.part("back").addEventListener("click", () => this.go(this.at - 1));
    this.part("next").addEventListener("click", () => this.next());
    this.items.forEach((item) => {
      item.input.addEventListener("input", () => this.show());
      item.input.addEventListener("change", () => this.show());
      item.input.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        this.next();
      });
    });
    this.form = this.items[0].input.form;
    this.form.noValidate = true;
    this.form.addEventListener("submit", (event) => this.refuse(event));
    const wrong = this.items.findIndex((item) => item.element.querySelector(".field__error"));
    this.at = Math.max(0, wrong >= 0 ? wrong : this.items.findIndex((item) => item.isMissing));
    this.show();
  }

  refuse(event) {
    const missing = this.items.findIndex((item) => item.isMissing);
    if (missing < 0) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.go(missing);
    this.complain(this.items[missing]);
  }

  complain(item) {
    const place = this.part("missing");
    place.querySelector("span").textContent = fill(this.text.textMissing, { name: item.name });
    place.hidden = false;
    this.root.classList.add("fill--missing");
  }

  next() {
    const item = this.items[this.at];
    if (item.isMissing) {
      this.complain(item);
      item.input.focus();
      return;
    }
    if (this.at < this.items.length - 1) this.go(this.at + 1);
    else {
      const missing = this.items.findIndex((each) => each.isMissing);
      if (missing >= 0) this.go(missing);
      else document.querySelector('#panel-action [form="prepare"]')?.focus();
    }
  }

  go(index) {
    this.at = Math.min(Math.max(index, 0), this.items.length - 1);
    this.part("missing").hidden = true;
    this.root.classList.remove("fill--missing");
    this.show();
    this.scrollTo(this.items[this.at]);
    this.items[this.at].input.focus({ preventScroll: true });
  }

  show() {
    const done = this.items.filter((item) => item.isDone).length;
    const { length } = this.items;
    this.items.forEach((item, index) => {
      if (this.isAsking) item.element.hidden = index !== this.at;
      this.showPlace(item, index);
    });
    if (!this.isAsking) return;
    const item = this.items[this.at];
    if (!item.isMissing) this.part("missing").hidden = true;
    this.part("where").textContent = fill(this.text.textWhere, { at: this.at + 1, all: length, page: item.page });
    const isComplete = !this.items.some((each) => each.isMissing);
    this.part("done").textContent = isComplete ? this.text.textComplete : fill(this.text.textDone, { done, all: length });
    this.part("bar").value = done;
    this.part("back").disabled = this.at === 0;
    this.part("next").disabled = isComplete && this.at === length - 1;
    this.root.dataset.complete = isComplete ? "yes" : "no";
  }

  // --- On the pages ------------------------------------------------------------------------------------------

  lay(reader) {
    this.reader = reader;
    this.items.forEach((item, index) => {
      const place = document.createElement(this.isAsking ? "button" : "div");
      if (this.isAsking) {
        place.type = "button";
        place.addEventListener("click", () => {
          this.go(index);
          if (item.isPut) item.input.click();
        });
      }
      item.place = place;
      reader.sheets[item.page - 1]?.layer.append(place);
      put(place, item.box, item.size);
      this.showPlace(item, index);
    });
    if (this.isAsking && this.at > 0) this.scrollTo(this.items[this.at]);
  }

  showPlace(item, index) {
    const { place } = item;
    if (!place) return;
    const { kind } = item.element.dataset;
    place.className = `place place--${kind}`;
    place.classList.toggle("place--done", item.isDone);
    place.classList.toggle("place--missing", item.isMissing);
    place.classList.toggle("place--current", this.isAsking && index === this.at);
    const shown = document.createElement("span");
    shown.className = "place__value";
    if (kind === "checkbox") shown.textContent = item.isDone ? "✓" : "";
    else if (!item.isDone) shown.textContent = this.isAsking ? item.name : "";
    else if (item.picture) shown.append(item.picture.cloneNode(true));
    else shown.textContent = item.value;
    place.replaceChildren(shown);
    if (!this.isAsking) return;
    place.setAttribute("aria-label", fill(this.wordsFor(item), { name: item.name, page: item.page, value: shown.textContent }));
  }

  wordsFor(item) {
    if (!item.isDone) return item.required ? this.text.textRequired : this.text.textOptional;
    // What is to be read in the field belongs to its name.
    const isRead = !item.isPut || item.picture?.matches(".look--letters");
    return isRead ? this.text.textValue : this.text.textFilled;
  }

  scrollTo(item) {
    if (!item.place) return;
    const panel = document.querySelector("[data-panel]").getBoundingClientRect();
    const below = panel.left > 0 ? window.innerHeight : panel.top;
    const above = document.querySelector(".reader__tools").getBoundingClientRect().bottom;
    const { top, bottom } = item.place.getBoundingClientRect();
    if (top >= above + 8 && bottom <= below - 8) return;
    window.scrollBy({ top: (top + bottom) / 2 - (above + below) / 2 });
  }
}

const root = document.querySelector("[data-fill]");
if (root) new Filling(root);
