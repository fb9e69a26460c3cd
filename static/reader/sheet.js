// One page: a white sheet of the right size, a canvas, and the page's real text above it.

import { TextLayer } from "../vendor/pdfjs/pdf.min.mjs";

const CSS_UNITS = 96 / 72;
// A canvas larger than this is drawn at a lower density: phones refuse more.
const MAX_PIXELS = 16_000_000;

function make(tag, className, parent) {
  const element = document.createElement(tag);
  element.className = className;
  parent?.append(element);
  return element;
}

export class Sheet {
  constructor({ reader, number, page, width, height, caption }) {
    Object.assign(this, { reader, number, page, width, height });
    this.visibleHeight = 0;
    this.wasInView = false;
    this.drawn = false;
    this.work = null;
    this.element = make("section", "reader__page");
    this.element.dataset.number = String(number);
    this.element.setAttribute("aria-label", caption);
    this.paper = make("div", "reader__paper", this.element);
    // What other scripts lay over the page: it stays when the page is drawn anew or let go.
    this.layer = make("div", "reader__layer", this.paper);
    this.caption = make("p", "reader__number", this.element);
    this.caption.textContent = caption;
    this.caption.setAttribute("aria-hidden", "true");
  }

  async learnSize() {
    this.page ??= await this.reader.pdf.getPage(this.number);
    const { width, height } = this.page.getViewport({ scale: CSS_UNITS });
    if (width === this.width && height === this.height) return;
    Object.assign(this, { width, height });
    this.resize();
  }

  resize() {
    const { scale } = this.reader;
    this.paper.style.width = `${Math.floor(this.width * scale)}px`;
    this.paper.style.height = `${Math.floor(this.height * scale)}px`;
    this.paper.style.setProperty("--total-scale-factor", String(scale * CSS_UNITS));
    this.paper.style.setProperty("--scale-round-x", "1px");
    this.paper.style.setProperty("--scale-round-y", "1px");
    if (this.work || this.drawn) {
      this.stop();
      this.draw();
    }
  }

  stop() {
    this.work?.cancel();
    this.work = null;
  }

  release() {
    this.stop();
    this.drawn = false;
    this.show();
  }

  // The layer stays where it is: what is moved, or in something that is, loses the focus.
  show(...shown) {
    for (const child of [...this.paper.children]) if (child !== this.layer) child.remove();
    this.layer.before(...shown);
  }

  async draw() {
    if (this.work || (this.drawn && this.drawnScale === this.reader.scale)) return;
    const job = { cancelled: false, cancel: () => (job.cancelled = true) };
    this.work = job;
    try {
      this.page ??= await this.reader.pdf.getPage(this.number);
      if (job.cancelled) return;
      await this.paint(job);
    } catch (error) {
      if (!job.cancelled) this.complain(error);
    } finally {
      if (this.work === job) this.work = null;
    }
  }

  async paint(job) {
    const { scale } = this.reader;
    const viewport = this.page.getViewport({ scale: scale * CSS_UNITS });
    const density = Math.min(window.devicePixelRatio || 1, Math.sqrt(MAX_PIXELS / (viewport.width * viewport.height)));
    const canvas = document.createElement("canvas");
    canvas.width = Math.floor(viewport.width * density);
    canvas.height = Math.floor(viewport.height * density);
    canvas.setAttribute("aria-hidden", "true");
    const drawing = this.page.render({
      canvas,
      viewport,
      transform: density === 1 ? null : [density, 0, 0, density, 0, 0],
    });
    const words = make("div", "reader__text");
    const layer = new TextLayer({ textContentSource: this.page.streamTextContent(), container: words, viewport });
    job.cancel = () => {
      job.cancelled = true;
      drawing.cancel();
      layer.cancel();
    };
    // The sheet keeps its former picture, stretched, until the new one is whole.
    await Promise.all([drawing.promise, layer.render()]);
    if (job.cancelled) return;
    this.show(canvas, words);
    this.drawn = true;
    this.drawnScale = scale;
    this.page.cleanup();
    this.reader.noteShown(this);
  }

  complain(error) {
    const note = make("p", "reader__note");
    note.textContent = this.reader.text.textPageFailed;
    note.setAttribute("role", "alert");
    this.show(note);
    console.warn(`Page ${this.number} could not be drawn:`, error?.name, error?.message);
  }
}
