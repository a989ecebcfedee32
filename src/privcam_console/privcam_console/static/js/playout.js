// Which moment of camera time is on the screen, and where everybody is then. The same rules as the cloud's playout buffer.

// The screen is so many frame intervals behind the newest frame, so that the next one is there to move towards.
const DELAY_INTERVALS = 1.5;
// Frames farther apart than this, in ms, are not joined by a movement.
const MAX_GAP_MS = 1000;
// Farther from where it should be than this, in ms, the screen jumps instead of running faster or slower.
const JUMP_MS = 1000;
// Fraction of the distance to where it should be that is corrected per second.
const CATCH_UP_PER_S = 0.5;
const KEPT = 12;

export class Playout {
  #frames = [];
  #moment = 0;
  #asked = null;

  add(pose) {
    const newest = this.#frames.at(-1);
    const goesOn = newest && pose.replay === newest.replay && pose.stamp > newest.stamp;
    if (!goesOn) this.clear();
    this.#frames.push(pose);
    if (this.#frames.length > KEPT) this.#frames.shift();
  }

  clear() {
    this.#frames = [];
    this.#asked = null;
  }

  get newest() {
    return this.#frames.at(-1) ?? null;
  }

  // Returns { stamp, subjects } of the moment to show at `now`, ms; null before the first frame.
  at(now) {
    if (!this.newest) return null;
    return { stamp: this.#advance(now), subjects: this.#subjects() };
  }

  #interval() {
    if (this.#frames.length < 2) return 0;
    const span = this.newest.stamp - this.#frames[0].stamp;
    return Math.min(span / (this.#frames.length - 1), MAX_GAP_MS);
  }

  #advance(now) {
    const wanted = this.newest.stamp - DELAY_INTERVALS * this.#interval();
    const passed = this.#asked === null ? 0 : now - this.#asked;
    this.#asked = now;
    const moment = this.#moment + passed;
    const distance = wanted - moment;
    const corrected = Math.abs(distance) > JUMP_MS
      ? wanted
      : moment + distance * Math.min(1, (CATCH_UP_PER_S * passed) / 1000);
    // Never ahead of the newest frame: while nothing comes the picture stands still, and its state says why.
    this.#moment = Math.min(corrected, this.newest.stamp);
    return this.#moment;
  }

  #subjects() {
    const after = this.#frames.findIndex((frame) => frame.stamp >= this.#moment);
    const next = this.#frames.at(after);
    const last = this.#frames[after - 1];
    if (after < 1 || next.stamp - last.stamp > MAX_GAP_MS) return next.subjects;
    const part = (this.#moment - last.stamp) / (next.stamp - last.stamp);
    const before = new Map(last.subjects.map((subject) => [subject.id, subject]));
    return next.subjects.map((subject) => between(before.get(subject.id), subject, part));
  }
}

function between(a, b, part) {
  if (!a) return b;
  const mix = (from, to) => from + (to - from) * part;
  const joints = b.joints.map((to, place) => {
    const from = a.joints[place];
    return from && to ? [mix(from[0], to[0]), mix(from[1], to[1])] : to;
  });
  const box = a.box && b.box ? b.box.map((to, place) => mix(a.box[place], to)) : b.box;
  return { ...b, joints, box, stature: mix(a.stature, b.stature) };
}
