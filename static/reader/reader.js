// Reading a PDF in the page. Every page has its place from the start, is drawn when it comes near and let go when it is far.
// pdf.js runs without eval, scripting, XFA and WebAssembly.

import { getDocument, GlobalWorkerOptions, PasswordResponses } from "../vendor/pdfjs/pdf.min.mjs";
import { Sheet } from "./sheet.js";
import { enhanceTools } from "./tools.js";

const VENDOR = new URL("../vendor/pdfjs/", import.meta.url);
GlobalWorkerOptions.workerSrc = new URL("pdf.worker.min.mjs", VENDOR).href;

const CSS_UNITS = 96 / 72;
const SIZES_BEFORE_SHOWING = 200;
const MIN_SCALE = 0.25;
const MAX_SCALE = 4;

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

export class Reader {
  constructor(root) {
    this.root = root;
    this.text = root.dataset;
    this.place = root.querySelector("[data-reader-pages]");
    this.sheets = [];
    this.seen = new Set();
    this.current = 1;
    this.scale = 1;
    this.fits = true;
  }

  part(name) {
    return this.root.querySelector(`[data-reader-${name}]`);
  }

  async open() {
    const task = getDocument({
      url: new URL(this.text.src, document.baseURI).href,
      cMapUrl: new URL("cmaps/", VENDOR).href,
      cMapPacked: true,
      standardFontDataUrl: new URL("standard_fonts/", VENDOR).href,
      // The plain JavaScript decoders of JPEG 2000 and JBIG2 lie here.
      wasmUrl: new URL("decoders/", VENDOR).href,
      useWasm: false,
      isEvalSupported: false,
      enableXfa: false,
      maxImageSize: 64 * 1024 * 1024,
    });
    task.onPassword = (answer, reason) => this.askPassword(answer, reason === PasswordResponses.INCORRECT_PASSWORD);
    try {
      this.pdf = await task.promise;
      await this.lay();
    } catch (error) {
      if (!this.failed) this.fail(this.text.textFailed, this.text.textFailedMore);
      console.warn("The document could not be shown:", error?.name, error?.message);
    }
  }

  // The password opens the document here and is sent nowhere.
  askPassword(answer, wasWrong) {
    const form = this.part("unlock");
    const input = form.querySelector("input");
    form.hidden = false;
    this.part("note").hidden = true;
    this.part("wrong").hidden = !wasWrong;
    if (wasWrong) input.setAttribute("aria-invalid", "true");
    if (wasWrong || document.activeElement === document.body) input.focus();
    form.onsubmit = (event) => {
      event.preventDefault();
      form.hidden = true;
      this.part("note").hidden = false;
      answer(input.value);
      input.value = "";
    };
  }

  fail(title, more = "") {
    this.failed = true;
    this.part("failed-title").textContent = title;
    this.part("failed-more").textContent = more;
    this.part("failed").hidden = false;
    this.part("note").hidden = true;
    this.part("tools").hidden = true;
    this.tell("reader:failed", {});
  }

  // Every page gets a sheet of its own size before anything is drawn, so that nothing moves afterwards. A very long
  // document starts with the first page's size for all and is corrected as the sizes arrive.
  async lay() {
    const pages = this.pdf.numPages;
    const sized = Math.min(pages, SIZES_BEFORE_SHOWING);
    const known = await Promise.all(Array.from({ length: sized }, (_none, index) => this.pdf.getPage(index + 1)));
    for (let number = 1; number <= pages; number += 1) {
      const page = known[number - 1] ?? null;
      const caption = fill(this.text.textPage, { page: number, pages });
      const { width, height } = (page ?? known[0]).getViewport({ scale: CSS_UNITS });
      this.sheets.push(new Sheet({ reader: this, number, page, width, height, caption }));
    }
    this.fit();
    this.place.append(...this.sheets.map((sheet) => sheet.element));
    this.part("note").hidden = true;
    this.part("tools").hidden = false;
    this.fit();
    this.watch();
    enhanceTools(this);
    this.show();
    this.tell("reader:laid", { reader: this });
    for (let number = sized + 1; number <= pages; number += 1) await this.sheets[number - 1].learnSize();
  }

  watch() {
    const near = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const sheet = this.sheets[entry.target.dataset.number - 1];
          if (entry.isIntersecting) sheet.draw();
          else sheet.release();
        }
      },
      { rootMargin: "100% 0px" },
    );
    const thresholds = [0, 0.25, 0.5, 0.75, 1];
    const visible = new IntersectionObserver((entries) => this.look(entries), { threshold: thresholds });
    for (const sheet of this.sheets) {
      near.observe(sheet.element);
      visible.observe(sheet.element);
    }
    let width = this.place.clientWidth;
    new ResizeObserver(() => {
      if (this.place.clientWidth === width) return;
      width = this.place.clientWidth;
      if (this.fits) this.fit();
    }).observe(this.place);
  }

  look(entries) {
    for (const entry of entries) {
      const sheet = this.sheets[entry.target.dataset.number - 1];
      sheet.visibleHeight = entry.isIntersecting ? entry.intersectionRect.height : 0;
      // Shown: half of the page was in view, or its lower edge was.
      const bottom = entry.isIntersecting && entry.boundingClientRect.bottom <= window.innerHeight + 1;
      if (bottom || entry.intersectionRatio >= 0.5) sheet.wasInView = true;
      this.noteShown(sheet);
    }
    const best = this.sheets.reduce((most, sheet) => (sheet.visibleHeight > most.visibleHeight ? sheet : most));
    if (best.visibleHeight > 0) this.current = best.number;
    this.show();
  }

  // A page counts once it was in view *and* drawn.
  noteShown(sheet) {
    if (!sheet.wasInView || !sheet.drawn || this.seen.has(sheet.number)) return;
    this.seen.add(sheet.number);
    const pages = this.sheets.length;
    this.tell("reader:page", { page: sheet.number, seen: this.seen.size, pages });
    if (this.seen.size === pages) {
      this.part("live").textContent = fill(this.text.textAll, { pages });
      this.root.dataset.allShown = "yes";
      this.tell("reader:all-shown", { pages });
    }
    this.show();
  }

  show() {
    const pages = this.sheets.length;
    const seen = this.seen.size;
    this.part("where").textContent = fill(this.text.textPage, { page: this.current, pages });
    this.part("seen").textContent = fill(seen === pages ? this.text.textAll : this.text.textSeen, { seen, pages });
    this.part("zoom").textContent = `${Math.round(this.scale * 100)} %`;
    this.part("previous").disabled = this.current <= 1;
    this.part("next").disabled = this.current >= pages;
    this.part("out").disabled = this.scale <= MIN_SCALE;
    this.part("in").disabled = this.scale >= MAX_SCALE;
  }

  goTo(number) {
    const sheet = this.sheets[Math.min(Math.max(number, 1), this.sheets.length) - 1];
    const top = sheet.element.getBoundingClientRect().top - this.part("tools").getBoundingClientRect().bottom - 8;
    window.scrollBy({ top });
  }

  zoom(scale, fits = false) {
    const before = this.sheets[this.current - 1].element;
    const above = before.isConnected ? before.getBoundingClientRect() : null;
    this.fits = fits;
    this.scale = Math.min(Math.max(scale, MIN_SCALE), MAX_SCALE);
    for (const sheet of this.sheets) sheet.resize();
    if (above?.height && above.top < 0) {
      const now = before.getBoundingClientRect();
      window.scrollBy({ top: now.top - (above.top * now.height) / above.height, behavior: "instant" });
    }
    this.show();
  }

  fit() {
    const style = getComputedStyle(this.place);
    const room = this.place.clientWidth - parseFloat(style.paddingInlineStart) - parseFloat(style.paddingInlineEnd);
    const widest = Math.max(...this.sheets.map((sheet) => sheet.width));
    this.zoom(Math.min(room / widest, 1.5), true);
  }

  tell(name, detail) {
    this.root.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }
}

for (const root of document.querySelectorAll("[data-reader]")) new Reader(root).open();
