// Vectors of the plane, as [u, v]: u to the right, v down.

export const add = (a, b) => [a[0] + b[0], a[1] + b[1]];
export const subtract = (a, b) => [a[0] - b[0], a[1] - b[1]];
export const times = (a, factor) => [a[0] * factor, a[1] * factor];
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
export const length = (a) => Math.hypot(a[0], a[1]);

export function unit(a) {
  const size = length(a);
  return size > 0 ? times(a, 1 / size) : [0, 0];
}

// The direction to the right for a body whose head points `up`.
export const rightOf = (up) => [-up[1], up[0]];

export function mean(points) {
  const total = points.reduce(add, [0, 0]);
  return times(total, 1 / points.length);
}
