// Placing fields on a document's pages, by mouse, finger and keyboard. What is said stands in the page's attributes.

import { Board } from "./board.js";
import { followPointer } from "./dragging.js";
import { boxAt, keepOnPage, overlap, pointOn, put, sheetUnder, shift, sizesOf, snap, tidy } from "./geometry.js";
import { Saver } from "./saving.js";

const SIZES = {
  signature: [160, 48],
  initials: [64, 36],
  name: [150, 22],
  date: [90, 22],
  text: [170, 22],
  checkbox: [16, 16],
};
const SMALLEST = 10;
const STEP = 6;
const FINE = 1;
const SNAP_PX = 6;
const MM = 25.4 / 72;
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

class Placing {
  constructor(reader, root) {
    this.reader = reader;
    this.root = root;
    this.text = root.dataset;
    this.board = new Board(JSON.parse(this.text.fields), sizesOf(JSON.parse(this.text.pageSizes)));
    this.signers = new Map(
      [...root.querySelectorAll("[data-signer]")].map((input) => [
        input.value,
        { name: input.dataset.signer, color: input.dataset.color },
      ]),
    );
    this.kinds = new Map(
      [...root.querySelectorAll("[data-kind]")].map((button) => [button.dataset.kind, button.dataset.name]),
    );
    this.elements = new Map();
    this.selected = null;
    this.saver = new Saver({
      url: this.text.url,
      token: root.querySelector('[name="csrfmiddlewaretoken"]').value,
      read: () => this.board.toJSON(),
      tell: (how, answer) => this.tellSaving(how, answer),
    });
    this.board.onChange = () => {
      this.show();
      this.saver.later();
    };
    this.guides = ["x", "y"].map((axis) => {
      const line = document.createElement("div");
      line.className = `snap-line snap-line--${axis}`;
      return line;
    });
    this.part("chosen-more").open = window.matchMedia("(min-width: 60rem)").matches;
    this.listen();
    this.show();
    root.dataset.ready = "yes";
  }

  part(name) {
    return this.root.querySelector(`[data-${name}]`) ?? document.querySelector(`[data-${name}]`);
  }

  get signer() {
    return this.root.querySelector("[data-signer]:checked").value;
  }

  say(words) {
    this.part("live").textContent = words;
  }

  // --- Shown ---------------------------------------------------------------------------------------------

  show() {
    const there = new Set(this.board.fields.map((field) => field.id));
    for (const [id, element] of this.elements) {
      if (there.has(id)) continue;
      element.remove();
      this.elements.delete(id);
    }
    for (const field of this.board.fields) this.showField(field);
    if (this.selected !== null && !there.has(this.selected)) this.selected = null;
    this.showSelected();
    this.part("undo").disabled = !this.board.past.length;
    this.part("redo").disabled = !this.board.future.length;
    const count = this.board.fields.length;
    this.part("count").textContent = count === 1 ? this.text.textOne : fill(this.text.textCount, { count });
  }

  showField(field) {
    const element = this.elements.get(field.id) ?? this.make(field.id);
    const layer = this.reader.sheets[field.page - 1].layer;
    if (element.parentElement !== layer) layer.append(element);
    const { name, color } = this.signers.get(field.recipient) ?? { name: "", color: "1" };
    element.className = `placed placed--${color} placed--${field.kind}`;
    element.classList.toggle("placed--selected", field.id === this.selected);
    element.classList.toggle("placed--optional", !field.required);
    const what = field.label || this.kinds.get(field.kind);
    element.firstChild.textContent = what;
    element.title = `${what}, ${name}`;
    element.setAttribute(
      "aria-label",
      fill(this.text.textField, { kind: this.kinds.get(field.kind), label: field.label, who: name, page: field.page })
        .replace(" “”", ""),
    );
    put(element, field.box, this.board.sizeOf(field.page));
  }

  make(id) {
    const element = document.createElement("button");
    element.type = "button";
    element.append(Object.assign(document.createElement("span"), { className: "placed__name" }));
    element.append(Object.assign(document.createElement("span"), { className: "placed__handle" }));
    element.setAttribute("aria-describedby", "placing-keys");
    element.dataset.field = id;
    element.addEventListener("focus", () => this.select(id));
    element.addEventListener("keydown", (event) => this.onKey(event, id));
    element.addEventListener("pointerdown", (event) => this.onPointer(event, id));
    this.elements.set(id, element);
    return element;
  }

  select(id) {
    if (this.selected === id) return;
    this.selected = id;
    for (const [other, element] of this.elements) element.classList.toggle("placed--selected", other === id);
    this.showSelected();
  }

  showSelected() {
    const field = this.selected === null ? null : this.board.find(this.selected);
    this.part("chosen").hidden = !field;
    this.part("unchosen").hidden = Boolean(field);
    if (!field) return;
    this.part("chosen-title").textContent = this.kinds.get(field.kind);
    const label = this.part("chosen-label");
    if (document.activeElement !== label) label.value = field.label;
    this.part("chosen-required").checked = field.required;
    this.part("chosen-required").closest("label").hidden = field.kind === "signature";
    this.part("chosen-signer").value = field.recipient;
  }

  // --- Keys and buttons ------------------------------------------------------------------------------------

  listen() {
    for (const button of this.root.querySelectorAll("[data-kind]")) {
      button.addEventListener("click", () => button.dataset.dragged || this.addToPage(button.dataset.kind));
      button.addEventListener("pointerdown", (event) => this.dragFromPalette(event, button));
    }
    this.part("undo").addEventListener("click", () => this.step("back"));
    this.part("redo").addEventListener("click", () => this.step("forth"));
    this.part("copy").addEventListener("click", () => this.copyToAllPages());
    this.part("delete").addEventListener("click", () => this.remove(this.selected));
    this.part("chosen-label").addEventListener("change", (event) =>
      this.board.update(this.selected, { label: event.target.value.trim().slice(0, 80) }),
    );
    this.part("chosen-required").addEventListener("change", (event) =>
      this.board.update(this.selected, { required: event.target.checked }),
    );
    this.part("chosen-signer").addEventListener("change", (event) =>
      this.board.update(this.selected, { recipient: event.target.value }),
    );
    document.addEventListener("keydown", (event) => {
      const typed = event.target.matches("input:not([type=radio], [type=checkbox]), select");
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || typed) return;
      event.preventDefault();
      this.step(event.shiftKey ? "forth" : "back");
    });
    this.reader.place.addEventListener("pointerdown", (event) => event.target.closest(".placed") || this.select(null));
    for (const link of document.querySelectorAll("[data-leaves]")) {
      link.addEventListener("click", async (event) => {
        event.preventDefault();
        // What cannot be kept is said once; whoever insists may leave it.
        const insists = this.root.dataset.insists === "yes";
        if ((await this.saver.now()) || insists) window.location.assign(link.href);
        else this.root.dataset.insists = "yes";
      });
    }
  }

  step(way) {
    if (this.board[way]()) this.say(way === "back" ? this.text.textUndone : this.text.textRedone);
  }

  onKey(event, id) {
    if (event.ctrlKey || event.metaKey) return;
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const direction = directions[event.key];
    if (direction) {
      event.preventDefault();
      event.stopPropagation();
      const length = event.altKey ? FINE : STEP;
      const [dx, dy] = direction.map((each) => each * length);
      if (event.shiftKey) this.resize(id, dx, -dy);
      else this.moveTo(id, shift(this.board.find(id).box, dx, dy));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.remove(id);
    } else if (event.key === "Escape") {
      this.select(null);
      this.root.querySelector("[data-kind]").focus();
    }
  }

  moveTo(id, box) {
    const field = this.board.find(id);
    this.board.update(id, { box: keepOnPage(box, this.board.sizeOf(field.page)) });
    this.sayPlace(id);
  }

  resize(id, wider, taller) {
    const { box, page } = this.board.find(id);
    const [left, bottom, right, top] = box;
    const size = this.board.sizeOf(page);
    // The upper left corner stays, as it does under a pointer.
    const next = [
      left,
      Math.max(0, Math.min(bottom - taller, top - SMALLEST)),
      Math.min(size.width, Math.max(right + wider, left + SMALLEST)),
      top,
    ];
    this.board.update(id, { box: next.map(tidy) });
    this.sayPlace(id);
  }

  sayPlace(id) {
    const { box, page } = this.board.find(id);
    const [left, bottom, right, top] = box.map((value) => Math.round(value * MM));
    const across = Math.round(this.board.sizeOf(page).height * MM);
    this.say(
      fill(this.text.textPlace, { page, left, top: across - top, width: right - left, height: top - bottom }),
    );
  }

  remove(id) {
    const field = id === null ? null : this.board.find(id);
    if (!field) return;
    const rest = this.board.fields.filter((each) => each.id !== id);
    const near = rest.filter((each) => each.page === field.page).at(-1) ?? rest.at(-1);
    this.selected = null;
    this.board.remove(id);
    this.say(this.text.textDeleted);
    (near ? this.elements.get(near.id) : this.root.querySelector("[data-kind]")).focus({ preventScroll: !near });
  }

  copyToAllPages() {
    const added = this.board.copyToAllPages(this.selected);
    this.say(fill(this.text.textCopied, { count: added.length }));
    this.elements.get(this.selected)?.focus();
  }

  // In the middle of the page that is read; below what lies there already.
  addToPage(kind) {
    const page = this.reader.current;
    const size = this.board.sizeOf(page);
    let box = keepOnPage(boxAt(size.width / 2, size.height / 2, SIZES[kind]), size);
    const [, height] = SIZES[kind];
    for (let tries = 0; tries < 40; tries += 1) {
      const under = this.board.onPage(page).find((each) => overlap(each.box, box));
      if (!under) break;
      const top = under.box[1] - STEP;
      box = top < height ? keepOnPage(shift(box, STEP, size.height), size) : shift(box, 0, top - box[3]);
    }
    this.add(kind, page, box);
  }

  add(kind, page, box) {
    const [field] = this.board.add({ recipient: this.signer, kind, label: "", page, box, required: true });
    const element = this.elements.get(field.id);
    element.focus({ preventScroll: true });
    const { top, bottom } = element.getBoundingClientRect();
    const room = this.roomBelow();
    if (top < 140 || bottom > room) window.scrollBy({ top: (top + bottom) / 2 - (140 + room) / 2 });
    this.say(fill(this.text.textAdded, { kind: this.kinds.get(kind), page }));
  }

  // On a phone the panel lies over the page.
  roomBelow() {
    const panel = document.querySelector("[data-panel]").getBoundingClientRect();
    return panel.left > 0 ? window.innerHeight : panel.top;
  }

  // --- Pointers --------------------------------------------------------------------------------------------

  dragFromPalette(event, button) {
    if (event.button !== 0) return;
    delete button.dataset.dragged;
    const { kind } = button.dataset;
    const ghost = document.createElement("div");
    ghost.className = `placed placed--${this.signers.get(this.signer).color} placed--ghost`;
    ghost.textContent = this.kinds.get(kind);
    const scale = this.reader.scale * (96 / 72);
    ghost.style.width = `${SIZES[kind][0] * scale}px`;
    ghost.style.height = `${SIZES[kind][1] * scale}px`;
    followPointer(event, {
      move: (at) => {
        if (!ghost.isConnected) document.body.append(ghost);
        ghost.style.left = `${at.clientX}px`;
        ghost.style.top = `${at.clientY}px`;
      },
      end: (at, moved) => {
        ghost.remove();
        // A mouse's click and a key's are told apart from a finger's, after which not every browser sends a click.
        const tapped = !moved && at.type === "pointerup" && at.pointerType !== "mouse";
        if (!moved && !tapped) return;
        button.dataset.dragged = "yes";
        setTimeout(() => delete button.dataset.dragged, 400);
        if (tapped) {
          this.addToPage(kind);
          return;
        }
        const sheet = at.clientY < this.roomBelow() ? sheetUnder(this.reader.sheets, at) : null;
        if (!sheet) return;
        const { x, y } = pointOn(sheet, this.board.sizeOf(sheet.number), at);
        this.add(kind, sheet.number, boxAt(x, y, SIZES[kind]));
      },
    });
  }

  onPointer(event, id) {
    if (event.button !== 0) return;
    const element = this.elements.get(id);
    const before = this.board.find(id);
    const size = this.board.sizeOf(before.page);
    const start = pointOn(this.reader.sheets[before.page - 1], size, event);
    const isHandle = event.target.closest(".placed__handle");
    let now = before;
    element.focus({ preventScroll: true });
    followPointer(event, {
      move: (at) => {
        now = isHandle ? this.stretched(before, start, at) : this.dragged(before, start, at);
        const layer = this.reader.sheets[now.page - 1].layer;
        if (element.parentElement !== layer) layer.append(element);
        put(element, now.box, this.board.sizeOf(now.page));
      },
      end: (_at, moved) => {
        for (const line of this.guides) line.remove();
        if (moved && now !== before) this.board.update(id, { box: now.box, page: now.page });
        else this.show();
        element.focus({ preventScroll: true });
        if (moved) this.sayPlace(id);
      },
    });
  }

  stretched(before, start, at) {
    const size = this.board.sizeOf(before.page);
    const { x, y } = pointOn(this.reader.sheets[before.page - 1], size, at);
    const [left, bottom, right, top] = before.box;
    const box = [
      left,
      Math.max(0, Math.min(bottom + y - start.y, top - SMALLEST)),
      Math.min(size.width, Math.max(right + x - start.x, left + SMALLEST)),
      top,
    ];
    return { ...before, box: box.map(tidy) };
  }

  dragged(before, start, at) {
    const sheet = sheetUnder(this.reader.sheets, at) ?? this.reader.sheets[before.page - 1];
    const size = this.board.sizeOf(sheet.number);
    if (!size.width) return before;
    const { x, y, scale } = pointOn(sheet, size, at);
    const moved = keepOnPage(shift(before.box, x - start.x, y - start.y), size);
    return { ...before, page: sheet.number, box: at.altKey ? moved : this.snapped(before.id, sheet, moved, size, scale) };
  }

  snapped(id, sheet, box, size, scale) {
    const others = this.board.onPage(sheet.number).filter((each) => each.id !== id);
    const edges = (low, high) => [low, (low + high) / 2, high];
    const found = [
      snap(edges(box[0], box[2]), [size.width / 2, ...others.flatMap((o) => edges(o.box[0], o.box[2]))], SNAP_PX * scale),
      snap(edges(box[1], box[3]), [size.height / 2, ...others.flatMap((o) => edges(o.box[1], o.box[3]))], SNAP_PX * scale),
    ];
    found.forEach((each, axis) => {
      const line = this.guides[axis];
      if (!each) line.remove();
      else {
        sheet.layer.append(line);
        if (axis === 0) line.style.left = `${(100 * each.at) / size.width}%`;
        else line.style.bottom = `${(100 * each.at) / size.height}%`;
      }
    });
    return keepOnPage(shift(box, found[0]?.by ?? 0, found[1]?.by ?? 0), size);
  }

  // --- Kept --------------------------------------------------------------------------------------------------

  tellSaving(how, answer = {}) {
    const words = {
      saving: this.text.textSaving,
      saved: this.text.textSaved,
      lost: this.text.textLost,
      login: this.text.textLogin,
      refused: answer.error_description ?? this.text.textLost,
    };
    const place = this.part("saving");
    place.textContent = words[how];
    place.dataset.how = how;
    for (const element of this.elements.values()) element.classList.remove("placed--refused");
    const wrong = how === "refused" ? this.board.fields[answer.field] : null;
    if (wrong) this.elements.get(wrong.id)?.classList.add("placed--refused");
    this.root.dataset.insists = "no";
    this.root.dataset.saved = how === "saved" ? "yes" : "no";
  }
}

document.addEventListener("reader:laid", (event) => {
  const root = document.querySelector("[data-placing]");
  if (root) new Placing(event.detail.reader, root);
});
