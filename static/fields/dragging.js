// Pointers of every kind: mouse, pen and finger alike. Listens on the window, because what is moved to another page
// leaves the element that the pointer went down on.

const SLACK = 5;

// Calls `move` with each event once the pointer has really moved, then `end` with the last one and whether it had.
export function followPointer(start, { move, end }) {
  let moved = false;
  const isOurs = (event) => event.pointerId === start.pointerId;
  const onMove = (event) => {
    if (!isOurs(event)) return;
    const far = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY);
    if (!moved && far < SLACK) return;
    moved = true;
    event.preventDefault();
    move(event);
  };
  const stop = (event) => {
    if (!isOurs(event)) return;
    window.removeEventListener("pointermove", onMove);
    window.removeEventListener("pointerup", stop);
    window.removeEventListener("pointercancel", stop);
    end(event, moved && event.type === "pointerup");
  };
  window.addEventListener("pointermove", onMove);
  window.addEventListener("pointerup", stop);
  window.addEventListener("pointercancel", stop);
}
