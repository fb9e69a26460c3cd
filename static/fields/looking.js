// A signature drawn with mouse, pen or finger, or typed in a hand: either becomes a picture in the form's file field.

const WIDTH = 900;
const HEIGHT = 300;
const INK = "#1c2a5e";

class Maker {
  constructor(form) {
    this.form = form;
    this.file = form.querySelector('input[type="file"]');
    this.canvas = form.querySelector("canvas");
    this.canvas.width = WIDTH;
    this.canvas.height = HEIGHT;
    this.pen = this.canvas.getContext("2d");
    this.typed = form.querySelector("[data-typed]");
    this.strokes = [];
    form.querySelector("[data-styles]").hidden = false;
    for (const input of form.querySelectorAll('[name="style"]')) input.addEventListener("change", () => this.choose());
    this.draws();
    this.typed.addEventListener("input", () => this.type());
    for (const input of form.querySelectorAll("[data-hand]")) input.addEventListener("change", () => this.type());
    form.addEventListener("submit", (event) => this.send(event));
    this.choose();
  }

  get style() {
    return this.form.querySelector('[name="style"]:checked').value;
  }

  choose() {
    const { style } = this;
    for (const part of this.form.querySelectorAll("[data-for]")) {
      part.hidden = !part.dataset.for.split(" ").includes(style);
    }
    this.clear();
    if (style === "typed") this.type();
  }

  clear() {
    this.strokes = [];
    this.paint();
  }

  complain(words = "") {
    const place = this.form.querySelector("[data-look-error]");
    place.hidden = !words;
    place.querySelector("span").textContent = words;
  }

  // --- Drawn -------------------------------------------------------------------------------------------------

  draws() {
    this.form.querySelector("[data-clear]").addEventListener("click", () => this.clear());
    this.form.querySelector("[data-undo-stroke]").addEventListener("click", () => {
      this.strokes.pop();
      this.paint();
    });
    this.canvas.addEventListener("pointerdown", (event) => {
      if (this.style !== "drawn" || event.button !== 0) return;
      event.preventDefault();
      this.canvas.setPointerCapture(event.pointerId);
      this.strokes.push([this.pointOf(event)]);
      this.complain();
      this.isDrawing = true;
      this.paint();
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.isDrawing) return;
      for (const each of event.getCoalescedEvents?.() ?? [event]) this.strokes.at(-1).push(this.pointOf(each));
      this.paint();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(end, () => (this.isDrawing = false));
    }
  }

  pointOf(event) {
    const around = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - around.left) * WIDTH) / around.width,
      y: ((event.clientY - around.top) * HEIGHT) / around.height,
    };
  }

  paint() {
    const { pen } = this;
    pen.clearRect(0, 0, WIDTH, HEIGHT);
    Object.assign(pen, { strokeStyle: INK, fillStyle: INK, lineCap: "round", lineJoin: "round" });
    for (const stroke of this.strokes) this.paintStroke(stroke);
  }

  // Through the middles between points, and thinner where the hand is quick.
  paintStroke(points) {
    const { pen } = this;
    if (points.length === 1) {
      pen.beginPath();
      pen.arc(points[0].x, points[0].y, 4, 0, 7);
      pen.fill();
      return;
    }
    let width = 7;
    let from = points[0];
    for (let index = 1; index < points.length; index += 1) {
      const last = points[index - 1];
      const point = points[index];
      const to = index === points.length - 1 ? point : { x: (last.x + point.x) / 2, y: (last.y + point.y) / 2 };
      const quick = Math.hypot(point.x - last.x, point.y - last.y);
      width += (Math.max(3.5, 8 - quick / 9) - width) * 0.35;
      pen.lineWidth = width;
      pen.beginPath();
      pen.moveTo(from.x, from.y);
      pen.quadraticCurveTo(last.x, last.y, to.x, to.y);
      pen.stroke();
      from = to;
    }
  }

  // --- Typed -------------------------------------------------------------------------------------------------

  async type() {
    if (this.style !== "typed") return;
    this.complain();
    const hand = this.form.querySelector("[data-hand]:checked").dataset.hand;
    const text = this.typed.value.trim();
    await loadHand(hand, text);
    const { pen } = this;
    pen.clearRect(0, 0, WIDTH, HEIGHT);
    Object.assign(pen, { fillStyle: INK, textAlign: "center", textBaseline: "middle" });
    let size = 190;
    const room = WIDTH - 60;
    do {
      pen.font = `${size}px "${hand}", "Source Serif 4", serif`;
      size -= 6;
    } while (size > 20 && pen.measureText(text).width > room);
    pen.fillText(text, WIDTH / 2, HEIGHT / 2);
  }

  // --- Sent ---------------------------------------------------------------------------------------------------

  send(event) {
    if (this.style === "uploaded" || this.isReady) {
      if (this.style === "uploaded" && !this.file.files.length) {
        event.preventDefault();
        this.complain(this.form.dataset.textChoose);
      }
      return;
    }
    event.preventDefault();
    const isEmpty = this.style === "drawn" ? !this.strokes.length : !this.typed.value.trim();
    if (isEmpty) {
      this.complain(this.style === "drawn" ? this.form.dataset.textDraw : this.form.dataset.textType);
      return;
    }
    this.canvas.toBlob((blob) => {
      const files = new DataTransfer();
      files.items.add(new File([blob], "signature.png", { type: "image/png" }));
      this.file.files = files.files;
      this.isReady = true;
      this.form.requestSubmit();
    }, "image/png");
  }
}

const faces = new Map();
const hands = JSON.parse(document.querySelector("[data-hands]").dataset.hands);

// The parts of a hand that a text needs, like a style sheet's unicode-range would choose them.
async function loadHand(name, text) {
  for (const { url, range } of hands[name]) {
    if (!faces.has(url)) {
      const face = new FontFace(name, `url("${url}")`, { unicodeRange: range });
      document.fonts.add(face);
      faces.set(url, face);
    }
  }
  await document.fonts.load(`40px "${name}"`, text || "a").catch(() => []);
}

for (const name of Object.keys(hands)) loadHand(name, "");
for (const form of document.querySelectorAll("[data-look]")) new Maker(form);
