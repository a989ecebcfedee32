// Draws people as outlined bodies, the nearer ones in front, on a transparent layer.

import { buildBody } from "./body.js";
import { trace } from "./solids.js";

// Widths as fractions of the stature, and their minimum in px of the canvas.
const LINE = 0.008, MIN_LINE = 1.6;
const GAP = 0.016, MIN_GAP = 3;
const CREASE = 0.006, MIN_CREASE = 0.8, CREASE_KEPT = 0.44;
// Opacity of the fill: far side, middle, a near arm, the face, a marker.
const FAR = 0.36, BODY = 0.50, NEAR = 0.66, FACE = 0.82, MARKER = 0.34;
const DASH = 0.05;
// How far the dark edge around a subject reaches, px.
const SHADOW = 4, SHADOW_COLOUR = "rgb(0 0 0 / 0.15)";

// Colours lie on rings of equal lightness; none is near the red of an alarm. The same as privcam_core/drawing/palette.py.
const RINGS = [[0.80, 0.125], [0.88, 0.085], [0.77, 0.105]];
const PER_RING = 8, STRIDE = 3, FIRST = 4, ALARM_HUE = 29, ALARM_GAP = 60;

const ALARM = [0.68, 0.22, ALARM_HUE];
// Fraction of white in the colour of the outline.
const LINE_LIGHT = 0.45;

// Returns [lightness, chroma, hue] of a subject. It depends on the number alone, so it says nothing of the person.
function colourOf(id) {
  const step = (id - 1) % (PER_RING * RINGS.length);
  const ring = Math.floor(step / PER_RING);
  const turn = (((FIRST + step * STRIDE) % PER_RING) + ring / RINGS.length) / PER_RING;
  return [...RINGS[ring], ALARM_HUE + ALARM_GAP / 2 + turn * (360 - ALARM_GAP)];
}

function css([lightness, chroma, hue], white = 0) {
  return `oklch(${lightness + (1 - lightness) * white} ${chroma * (1 - white)} ${hue.toFixed(1)})`;
}

// The colour of a subject, for what stands beside the picture.
export const cssColour = (id, alarmed) => css(alarmed ? ALARM : colourOf(id));

export class People {
  #layer = document.createElement("canvas").getContext("2d");
  #one = document.createElement("canvas").getContext("2d");

  // Returns a canvas of width x height px with the subjects on it. scale: px of the canvas in a step.
  // alarmed: the ids of those whom an alarm is about.
  draw(subjects, width, height, scale, alarmed = new Set()) {
    for (const { canvas } of [this.#layer, this.#one]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    this.#layer.clearRect(0, 0, width, height);
    this.#layer.lineJoin = "round";
    [...subjects].sort((a, b) => a.layer - b.layer).forEach((subject, place) => {
      this.#place(subject, scale, alarmed.has(subject.id) ? ALARM : colourOf(subject.id), place > 0);
    });
    return this.#layer.canvas;
  }

  // hides: somebody is there already, whom this subject may hide.
  #place(subject, scale, colour, hides) {
    const { parts, marker } = buildBody(subject);
    const { width, height } = this.#one.canvas;
    const size = Math.min(subject.stature * scale, Math.hypot(width, height));
    const line = Math.max(LINE * size, MIN_LINE);
    const area = region(parts, scale, line + SHADOW, width, height);
    if (!area) return;
    const outline = silhouette(parts, scale);
    this.#one.clearRect(...area);
    drawBody(this.#one, { parts, marker }, outline, scale, size, line, colour);
    const layer = this.#layer;
    layer.globalCompositeOperation = "destination-out";
    if (hides) {
      // A gap around the front subject tells its limbs from those behind.
      layer.lineWidth = 2 * Math.max(GAP * size, MIN_GAP);
      layer.stroke(outline);
    }
    layer.globalCompositeOperation = "source-over";
    // A soft dark edge, for bright rooms. The blur of the canvas would cost more than all the rest.
    layer.strokeStyle = SHADOW_COLOUR;
    for (const reach of [SHADOW, SHADOW / 2]) {
      layer.lineWidth = 2 * (line + reach);
      layer.stroke(outline);
    }
    layer.globalCompositeOperation = "destination-out";
    layer.fill(outline);
    layer.globalCompositeOperation = "source-over";
    layer.drawImage(this.#one.canvas, ...area, ...area);
  }
}

// Returns [left, top, width, height] of the px that parts and `more` px around them touch; null for none of the canvas.
function region(parts, scale, more, width, height) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { solid } of parts) {
    for (const [u, v, radius] of solid.circles ?? [[...solid.centre, Math.max(...solid.axes)]]) {
      [left, top] = [Math.min(left, u - radius), Math.min(top, v - radius)];
      [right, bottom] = [Math.max(right, u + radius), Math.max(bottom, v + radius)];
    }
  }
  left = Math.max(Math.floor(left * scale - more), 0);
  top = Math.max(Math.floor(top * scale - more), 0);
  right = Math.min(Math.ceil(right * scale + more), width);
  bottom = Math.min(Math.ceil(bottom * scale + more), height);
  return right > left && bottom > top ? [left, top, right - left, bottom - top] : null;
}

// Returns one path around all parts. scale: px in a step.
export function silhouette(parts, scale) {
  const path = new Path2D();
  for (const part of parts) trace(path, part.solid, scale);
  return path;
}

function drawBody(context, body, outline, scale, size, line, colour) {
  context.save();
  context.lineJoin = "round";
  context.lineWidth = 2 * line;
  context.strokeStyle = css(colour, LINE_LIGHT);
  if (body.marker) context.setLineDash([DASH * size, DASH * size]);
  context.stroke(outline);
  context.setLineDash([]);
  // The inner half of the line, and the lines of parts within the body, give way to the fill.
  context.globalCompositeOperation = "destination-out";
  context.fill(outline);
  context.clip(outline);
  context.lineWidth = 2 * Math.max(CREASE * size, MIN_CREASE);
  context.fillStyle = css(colour);
  for (const group of groups(body.parts)) {
    const path = silhouette(group, scale);
    context.globalCompositeOperation = "destination-out";
    if (group[0].limb !== undefined) {
      context.globalAlpha = 1 - CREASE_KEPT;
      context.stroke(path);
    }
    context.globalAlpha = 1;
    context.fill(path);
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = body.marker ? MARKER : opacity(group[0]);
    context.fill(path);
  }
  context.restore();
}

// Neighbours in the list that belong to one limb are one group.
function groups(parts) {
  const found = [];
  for (const part of parts) {
    const last = found.at(-1);
    if (last && part.limb !== undefined && last[0].limb === part.limb) last.push(part);
    else found.push([part]);
  }
  return found;
}

function opacity(part) {
  if (part.face) return FACE;
  if (part.depth < 0) return FAR;
  return part.depth > 0 && part.arm ? NEAR : BODY;
}
