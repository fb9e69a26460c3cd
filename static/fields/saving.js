// What is placed is kept by itself, a moment after the last change, and one request after another.

const WAIT_MS = 500;

export class Saver {
  constructor({ url, token, read, tell }) {
    Object.assign(this, { url, token, read, tell });
    this.dirty = false;
    this.kept = true;
    this.running = null;
    window.addEventListener("pagehide", () => this.dirty && this.send({ keepalive: true }));
  }

  later() {
    this.dirty = true;
    this.tell("saving");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), WAIT_MS);
  }

  // Whether everything is kept.
  async now() {
    clearTimeout(this.timer);
    await this.running;
    if (!this.dirty) return this.kept;
    this.running = this.send();
    const kept = await this.running;
    this.running = null;
    return this.dirty && kept ? this.now() : kept;
  }

  async send(how = {}) {
    this.dirty = false;
    this.kept = false;
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": this.token },
        body: JSON.stringify({ fields: this.read() }),
        ...how,
      });
      if (response.ok && !response.redirected) {
        this.kept = true;
        this.tell("saved");
        return true;
      }
      if (response.redirected) {
        this.dirty = true;
        this.tell("login");
      } else {
        this.tell("refused", await response.json().catch(() => ({})));
      }
    } catch {
      this.dirty = true;
      this.tell("lost");
    }
    return false;
  }
}
