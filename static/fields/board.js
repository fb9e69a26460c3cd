// The fields of one document as they stand, and as they stood: undo and redo are whole states.

import { keepOnPage } from "./geometry.js";

const MOST_STEPS = 100;

export class Board {
  constructor(fields, sizes) {
    this.sizes = sizes;
    this.next = 1;
    this.fields = fields.map((field) => ({ ...field, id: this.next++ }));
    this.past = [];
    this.future = [];
    this.onChange = () => {};
  }

  sizeOf(page) {
    return this.sizes[page - 1];
  }

  find(id) {
    return this.fields.find((field) => field.id === id);
  }

  onPage(page) {
    return this.fields.filter((field) => field.page === page);
  }

  // Every change is one step back.
  change(fields) {
    this.past.push(this.fields);
    if (this.past.length > MOST_STEPS) this.past.shift();
    this.future = [];
    this.fields = fields;
    this.onChange();
  }

  add(...fields) {
    const added = fields.map((field) => ({
      ...field,
      id: this.next++,
      box: keepOnPage(field.box, this.sizeOf(field.page)),
    }));
    this.change([...this.fields, ...added]);
    return added;
  }

  update(id, values) {
    this.change(this.fields.map((field) => (field.id === id ? { ...field, ...values } : field)));
  }

  remove(id) {
    this.change(this.fields.filter((field) => field.id !== id));
  }

  // To every page that has none of the kind for this person at this place.
  copyToAllPages(id) {
    const { id: _id, ...field } = this.find(id);
    const pages = this.sizes.map((_size, index) => index + 1).filter((page) => this.sizeOf(page).width > 0);
    const same = (other) =>
      other.kind === field.kind && other.recipient === field.recipient && other.box.join() === field.box.join();
    const wanted = pages.filter((page) => page !== field.page && !this.onPage(page).some(same));
    return wanted.length ? this.add(...wanted.map((page) => ({ ...field, page }))) : [];
  }

  back() {
    return this.#swap(this.past, this.future);
  }

  forth() {
    return this.#swap(this.future, this.past);
  }

  #swap(from, to) {
    if (!from.length) return false;
    to.push(this.fields);
    this.fields = from.pop();
    this.onChange();
    return true;
  }

  toJSON() {
    return this.fields.map(({ recipient, kind, label, page, box, required }) => ({
      recipient,
      kind,
      label,
      page,
      box,
      required,
    }));
  }
}
