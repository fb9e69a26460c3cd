// Boxes on pages: left, bottom, right, top in 1/72 inch from the lower left corner of the page as it is shown.

// The server's runs of (width, height, how many) as one size for each page.
export function sizesOf(runs) {
  return runs.flatMap(([width, height, count]) => Array.from({ length: count }, () => ({ width, height })));
}

// In parts of the page, so that it holds at any zoom.
export function put(element, [left, bottom, right, top], { width, height }) {
  element.style.left = `${(100 * left) / width}%`;
  element.style.bottom = `${(100 * bottom) / height}%`;
  element.style.width = `${(100 * (right - left)) / width}%`;
  element.style.height = `${(100 * (top - bottom)) / height}%`;
}

// Moved, not cut, so that it lies on the page; cut where it is larger than the page.
export function keepOnPage([left, bottom, right, top], { width, height }) {
  const w = Math.min(right - left, width);
  const h = Math.min(top - bottom, height);
  const x = Math.min(Math.max(left, 0), width - w);
  const y = Math.min(Math.max(bottom, 0), height - h);
  return [x, y, x + w, y + h].map(tidy);
}

export function boxAt(x, y, [width, height]) {
  return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
}

export function shift([left, bottom, right, top], dx, dy) {
  return [left + dx, bottom + dy, right + dx, top + dy];
}

export function overlap(one, other) {
  return one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
}

export const tidy = (value) => Math.round(value * 100) / 100;

// Where a point of the window lies on a sheet, in 1/72 inch.
export function pointOn(sheet, size, { clientX, clientY }) {
  const around = sheet.paper.getBoundingClientRect();
  const scale = size.width / around.width;
  return { x: (clientX - around.left) * scale, y: (around.bottom - clientY) * scale, scale };
}

export function sheetUnder(sheets, { clientX, clientY }) {
  return sheets.find((sheet) => {
    const { left, right, top, bottom } = sheet.paper.getBoundingClientRect();
    return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
  });
}

// The nearest edge or middle among those of the others and of the page, for the box's own; {by, at} or null.
export function snap(own, others, reach) {
  let best = null;
  for (const here of own) {
    for (const there of others) {
      const by = there - here;
      if (Math.abs(by) <= reach && (best === null || Math.abs(by) < Math.abs(best.by))) best = { by, at: there };
    }
  }
  return best;
}
