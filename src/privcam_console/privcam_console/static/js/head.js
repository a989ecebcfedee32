// The head of a body: neck, skull, and the face as far as it is turned to the camera. See body.js.

import { capsule, ellipse } from "./solids.js";
import { add, dot, mean, rightOf, subtract, times, unit } from "./vectors.js";

const NOSE = 0, EARS = [3, 4], FACE = [1, 2, 3, 4], HEAD = [0, 1, 2, 3, 4], SHOULDERS = [5, 6];
const NECK = 0.030, WIDTH = 0.053, HEIGHT = 0.072;
const NOSE_RADIUS = 0.011, NOSE_BASE = 0.030, NOSE_TIP = 0.060;
const FACE_WIDTH = 0.034, FACE_HEIGHT = 0.028;
const TURNED = 0.4;
// Shoulders in mirrored order and at least this far apart show the back.
const BACK_VIEW = 0.06;

const seen = (joints, which) => which.map((joint) => joints[joint]).filter(Boolean);

// Returns the middle of the head: between the ears, else between one ear and the nose, else of what is seen.
export function headMiddle(joints) {
  return middleOf(joints, joints[NOSE]);
}

function middleOf(joints, nose) {
  const ears = seen(joints, EARS);
  if (ears.length === 1 && nose) ears.push(nose);
  const points = ears.length ? ears : seen(joints, nose ? HEAD : FACE);
  return points.length ? mean(points) : null;
}

// Returns where the face is turned across the body: -1 the picture's left, 0 to or from the camera, 1 the right.
export function facing(joints, up, stature) {
  const middle = middleOf(joints, null);
  if (!joints[NOSE] || !middle) return 0;
  const across = dot(subtract(joints[NOSE], middle), rightOf(up));
  return Math.min(Math.max(across / (WIDTH * stature), -1), 1);
}

export function head(joints, top, skull, up, stature) {
  const axis = unit(add(unit(subtract(skull, top)), up));
  const aside = rightOf(axis);
  const angle = Math.atan2(axis[0], -axis[1]);
  const turned = facing(joints, up, stature);
  const along = (distance) => add(skull, times(aside, turned * distance * stature));
  const parts = [{ solid: capsule(top, NECK * stature, skull, NECK * stature), depth: 0 }];
  if (Math.abs(turned) >= TURNED) {
    const nose = capsule(along(NOSE_BASE), 2 * NOSE_RADIUS * stature, along(NOSE_TIP), NOSE_RADIUS * stature);
    parts.push({ solid: nose, depth: 0 });
  }
  // Ears and eyes lie below the middle of the skull.
  const centre = add(skull, times(axis, NOSE_RADIUS * stature));
  parts.push({ solid: ellipse(centre, [WIDTH * stature, HEIGHT * stature], angle), depth: 0 });
  const toward = towardCamera(joints, up, turned, stature);
  if (toward > 0) {
    const width = Math.max(FACE_WIDTH * toward, NOSE_RADIUS) * stature;
    const middle = add(skull, times(aside, turned * (WIDTH * stature - width)));
    parts.push({ solid: ellipse(middle, [width, FACE_HEIGHT * stature], angle), depth: 0, face: true });
  }
  return parts;
}

// Returns the visible fraction of the face: 1 all of it, 0 none or unknown.
function towardCamera(joints, up, turned, stature) {
  if (!joints[NOSE]) return 0;
  const [left, right] = SHOULDERS.map((joint) => joints[joint]);
  // Pose models also guess a nose on the back of a head; the order of the shoulders shows a back view.
  if (left && right && dot(subtract(left, right), rightOf(up)) < -BACK_VIEW * stature) return 0;
  return Math.sqrt(1 - turned ** 2);
}
