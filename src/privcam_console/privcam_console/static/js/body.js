// Builds the body of a skeleton from a few convex solids, ordered from far to near: the same body as
// privcam_core/drawing/body.py draws, so that page and recording show the same person. Widths are fractions of the
// stature and the same for everybody. Lengths are in steps of the HELLO.

import { head, headMiddle, facing } from "./head.js";
import { capsule, ellipse, hull } from "./solids.js";
import { add, length, mean, rightOf, subtract, times, unit } from "./vectors.js";

const SHOULDERS = [5, 6], HIPS = [11, 12], KNEES = [13, 14];
const ARMS = [[5, 7, 9], [6, 8, 10]];
const LEGS = [[11, 13, 15], [12, 14, 16]];

const SHOULDER = 0.033, ELBOW = 0.027, WRIST = 0.020, HAND = 0.022, HAND_REACH = 0.035;
const HIP = 0.052, KNEE = 0.037, ANKLE = 0.024, TOE = 0.018, FOOT_REACH = 0.065, FOOT_DROP = 0.022;
const CHEST = 0.064, WAIST = 0.060, PELVIS = 0.060, WAIST_SIDE = 0.034, WAIST_SPREAD = 0.80, CHEST_DROP = 0.05;
const HEAD_RISE = 0.13, HEAD_NEAR = 0.07, HEAD_FAR = 0.19;
const TRUNK_LENGTH = 0.288;
const MARKER_FRACTION = 0.8, MIN_MARKER = 4;
// From this sine of the turn on it shows which side of the body is nearer.
const TURNED = 0.4;
// Breadth of the shoulders in a front view, and in a side view.
const FRONT_BREADTH = 0.20, SIDE_BREADTH = 0.10;

// Returns { parts, marker }; each part is { solid, depth, limb, face }, from far to near. marker: only a box is known.
export function buildBody(subject) {
  const { joints, stature, box } = subject;
  const spine = box ? null : findSpine(joints, stature);
  if (!spine) return { parts: box ? [{ solid: marker(box) }] : [], marker: true };
  const { top, bottom, skull } = spine;
  const up = unit(subtract(length(subtract(top, bottom)) > 0 ? top : skull ?? top, bottom));
  const turned = facing(joints, up, stature) * sideways(joints, stature);
  // Who turns to the picture's right shows the right side of the body.
  const right = Math.abs(turned) < TURNED ? 0 : Math.sign(turned);
  const limbs = (chains, fallback) => chains.flatMap((chain, side) =>
    limb(joints, chain, root(joints, chain[0], fallback), side ? right : -right, stature, turned));
  const arms = limbs(ARMS, top);
  const legs = limbs(LEGS, bottom).sort((a, b) => a.depth - b.depth);
  return {
    parts: [
      ...arms.filter((part) => part.depth < 0),
      ...legs,
      ...trunk(joints, top, bottom, stature),
      ...(skull ? head(joints, top, skull, up, stature) : []),
      ...arms.filter((part) => part.depth >= 0),
    ],
    marker: false,
  };
}

const middle = (joints, pair) => {
  const seen = pair.map((joint) => joints[joint]).filter(Boolean);
  return seen.length ? mean(seen) : null;
};

function findSpine(joints, stature) {
  let [top, bottom] = [middle(joints, SHOULDERS), middle(joints, HIPS)];
  let skull = headMiddle(joints);
  if (!top && !bottom && !skull) return null;
  const knees = middle(joints, KNEES);
  const low = skull ? top ?? bottom ?? knees : knees;
  const high = skull ?? top ?? bottom;
  const down = top && bottom ? unit(subtract(bottom, top)) : low ? unit(subtract(low, high)) : [0, 1];
  top ??= skull ? add(skull, times(down, HEAD_RISE * stature)) : subtract(bottom, times(down, TRUNK_LENGTH * stature));
  bottom ??= add(top, times(down, TRUNK_LENGTH * stature));
  if (skull) {
    const offset = subtract(skull, top);
    const reach = Math.min(Math.max(length(offset), HEAD_NEAR * stature), HEAD_FAR * stature);
    skull = add(top, times(unit(offset), reach));
  } else {
    skull = subtract(top, times(down, HEAD_RISE * stature));
  }
  return { top, bottom, skull };
}

// How far the trunk is turned aside: 0 for shoulders at full breadth, 1 for a side view.
function sideways(joints, stature) {
  const [left, right] = SHOULDERS.map((joint) => joints[joint]);
  if (!left || !right) return 1;
  const breadth = length(subtract(left, right)) / stature;
  return Math.min(Math.max((FRONT_BREADTH - breadth) / (FRONT_BREADTH - SIDE_BREADTH), 0), 1);
}

// Where a limb starts: its own root, else that of the other side, else the spine.
function root(joints, own, fallback) {
  const pair = HIPS.includes(own) ? HIPS : SHOULDERS;
  return joints[own] ?? joints[pair[0]] ?? joints[pair[1]] ?? fallback;
}

// An arm or a leg as far as its joints are visible; an invisible middle joint is bridged.
function limb(joints, chain, start, depth, stature, turned) {
  const leg = HIPS.includes(chain[0]);
  const radii = leg ? [HIP, KNEE, ANKLE] : [SHOULDER, ELBOW, WRIST];
  const circles = [[start, radii[0]], [joints[chain[1]], radii[1]], [joints[chain[2]], radii[2]]].filter(([at]) => at);
  const part = (solid) => ({ solid, depth, limb: chain[0], arm: !leg });
  const parts = circles.slice(1).map(([at, radius], place) =>
    part(capsule(circles[place][0], circles[place][1] * stature, at, radius * stature)));
  if (!joints[chain[2]] || !parts.length) return parts;
  const [tip, before] = [circles.at(-1)[0], circles.at(-2)[0]];
  const along = unit(subtract(tip, before));
  const aside = times(rightOf(times(along, -1)), turned * FOOT_REACH);
  const end = leg ? add(times(along, FOOT_DROP), aside) : times(along, HAND_REACH);
  const [wide, narrow] = [radii[2] * stature, (leg ? TOE : HAND) * stature];
  return [...parts, part(capsule(tip, wide, add(tip, times(end, stature)), narrow))];
}

// Pelvis and chest, two hulls with a common waist. In a side view the spine keeps them thick.
function trunk(joints, top, bottom, stature) {
  const spine = subtract(bottom, top);
  const chest = add(top, times(unit(spine), Math.min(CHEST_DROP * stature, length(spine))));
  const centre = mean([top, bottom]);
  const waist = [[centre, WAIST]];
  SHOULDERS.forEach((shoulder, side) => {
    const [high, low] = [joints[shoulder], joints[HIPS[side]]];
    if (high && low) {
      waist.push([add(centre, times(subtract(mean([high, low]), centre), WAIST_SPREAD)), WAIST_SIDE]);
    }
  });
  const ends = (pair, radius) => pair.filter((joint) => joints[joint]).map((joint) => [joints[joint], radius]);
  const upper = [...waist, [chest, CHEST], ...ends(SHOULDERS, SHOULDER)];
  const lower = [...waist, [bottom, PELVIS], ...ends(HIPS, HIP)];
  return [lower, upper].map((circles) => ({
    solid: hull(circles.map(([[u, v], radius]) => [u, v, radius * stature])),
    depth: 0,
  }));
}

// The upright ellipse of a subject of which only the box is known.
function marker([u0, v0, u1, v1]) {
  const axes = [u1 - u0, v1 - v0].map((side) => Math.max((side / 2) * MARKER_FRACTION, MIN_MARKER));
  return ellipse([(u0 + u1) / 2, (v0 + v1) / 2], axes, 0);
}
