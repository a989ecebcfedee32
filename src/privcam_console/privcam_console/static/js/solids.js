// Convex solids as closed curves: hulls of circles (two of them are a tapered capsule), and ellipses.

const CIRCLE = 20;
const ELLIPSE = 40;
// A distant person must cover pixels.
const MIN_RADIUS = 0.5;

// circles: list of [u, v, radius].
export const hull = (circles) => ({ circles });
export const capsule = (a, aRadius, b, bRadius) => hull([[...a, aRadius], [...b, bRadius]]);
// axes: half axes across and along; angle: of "along" from upright, rad.
export const ellipse = (centre, axes, angle) => ({ centre, axes, angle });

// Adds the outline of a solid to a Path2D, always turning the same way: the union of several is then filled at once.
export function trace(path, solid, scale) {
  const points = solid.circles ? convex(rims(solid.circles)) : rim(solid);
  points.forEach(([u, v], place) => (place ? path.lineTo(u * scale, v * scale) : path.moveTo(u * scale, v * scale)));
  path.closePath();
}

function rims(circles) {
  const points = [];
  for (const [u, v, radius] of circles) {
    const reach = Math.max(radius, MIN_RADIUS);
    for (let step = 0; step < CIRCLE; step += 1) {
      const angle = (step * 2 * Math.PI) / CIRCLE;
      points.push([u + reach * Math.cos(angle), v + reach * Math.sin(angle)]);
    }
  }
  return points;
}

function rim({ centre, axes, angle }) {
  const [across, along] = axes.map((axis) => Math.max(axis, MIN_RADIUS));
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return Array.from({ length: ELLIPSE }, (_, step) => {
    const turn = (step * 2 * Math.PI) / ELLIPSE;
    const [x, y] = [across * Math.cos(turn), along * Math.sin(turn)];
    return [centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos];
  });
}

// Returns the corners of the convex hull, by Andrew's monotone chain.
function convex(points) {
  points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const lower = chain(points);
  const upper = chain(points.reverse());
  return [...lower.slice(0, -1), ...upper.slice(0, -1)];
}

function chain(points) {
  const corners = [];
  for (const point of points) {
    while (corners.length > 1 && turn(corners.at(-2), corners.at(-1), point) <= 0) corners.pop();
    corners.push(point);
  }
  return corners;
}

const turn = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
