// The toolbar and the keys: + and - and 0 for zoom, Page Up and Page Down are the browser's own.

const STEP = 1.2;

export function enhanceTools(reader) {
  const press = (name, act) => reader.part(name).addEventListener("click", act);
  press("previous", () => reader.goTo(reader.current - 1));
  press("next", () => reader.goTo(reader.current + 1));
  press("out", () => reader.zoom(reader.scale / STEP));
  press("in", () => reader.zoom(reader.scale * STEP));
  press("fit", () => reader.fit());
  const keys = {
    "+": () => reader.zoom(reader.scale * STEP),
    "=": () => reader.zoom(reader.scale * STEP),
    "-": () => reader.zoom(reader.scale / STEP),
    0: () => reader.fit(),
    n: () => reader.goTo(reader.current + 1),
    p: () => reader.goTo(reader.current - 1),
  };
  reader.root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}
