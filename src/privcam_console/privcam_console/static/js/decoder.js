// Decodes the messages of the live view. The reference is live/decoder.py; docs/console.md has the table.

import { Reader } from "./varint.js";

export const PROTOCOL = 1;
export const HELLO = 1;
export const ENV = 2;
export const POSE = 3;
export const REPORT = 4;
export const STATE = 5;
export const STATES = ["offline", "stale", "blind", "live"];
export const PHASE_ENDED = 2;

const KEY_FRAME = 1, REPLAY = 2, PASSED = 4, HAS_PRIVACY = 8;
const FULL = 1, HAS_LAYER = 2, HAS_STATURE = 4, HAS_VISIBLE = 8, MOVED = 16, HAS_BOX = 32;

export class LiveDecoder {
  #joints = 0;
  #last = null;

  // Returns the message as an object with its kind. Throws for what is no message of this protocol.
  decode(buffer) {
    const reader = new Reader(buffer);
    const kind = reader.byte();
    if (kind === HELLO) return { kind, ...this.#hello(reader) };
    if (kind === ENV) return { kind, digest: hex(reader.raw(32)) };
    if (kind === POSE) return { kind, ...this.#pose(reader) };
    if (kind === REPORT) return { kind, ...report(reader) };
    if (kind === STATE) return { kind, ...state(reader) };
    throw new Error(`${kind} is no kind of message`);
  }

  #hello(reader) {
    const protocol = reader.byte();
    if (protocol !== PROTOCOL) throw new Error(`protocol ${protocol}: load the page again`);
    const camera = reader.text();
    const [width, height, joints, step, schema] = Array.from({ length: 5 }, () => reader.unsigned());
    this.#joints = joints;
    this.#last = null;
    return { camera, width, height, joints, step, schema };
  }

  #pose(reader) {
    const flags = reader.byte();
    const last = flags & KEY_FRAME ? null : this.#last;
    if (!this.#joints || (!last && !(flags & KEY_FRAME))) throw new Error("a POSE came without its key frame");
    const pose = {
      frame: reader.signed() + (last?.frame ?? 0),
      stamp: reader.signed() + (last?.stamp ?? 0),
      passed: Boolean(flags & PASSED),
      replay: Boolean(flags & REPLAY),
      sight: last?.sight ?? 0,
      withheld: last?.withheld ?? 0,
      epsilon: last?.epsilon ?? null,
      unseen: last?.unseen ?? 0,
    };
    if (flags & HAS_PRIVACY) {
      pose.sight = reader.byte();
      pose.withheld = reader.unsigned();
      const budget = reader.unsigned();
      pose.epsilon = budget ? (budget - 1) / 100 : null;
      pose.unseen = reader.unsigned();
    }
    const before = new Map((last?.subjects ?? []).map((subject) => [subject.id, subject]));
    pose.subjects = reader.list(() => {
      const id = reader.unsigned();
      return this.#subject(reader, id, before.get(id));
    });
    this.#last = pose;
    return pose;
  }

  #subject(reader, id, last) {
    const flags = reader.byte();
    if (!last && !(flags & FULL)) throw new Error(`subject ${id} is against a frame in which it was not`);
    const old = flags & FULL ? { layer: 0, stature: 0, joints: Array(this.#joints).fill(null) } : last;
    const layer = old.layer + (flags & (FULL | HAS_LAYER) ? reader.signed() : 0);
    const stature = old.stature + (flags & (FULL | HAS_STATURE) ? reader.signed() : 0);
    const visible = flags & (FULL | HAS_VISIBLE) ? reader.unsigned() : mask(old.joints);
    const joints = flags & (FULL | MOVED) ? this.#read(reader, visible, old.joints) : old.joints;
    const box = flags & HAS_BOX ? Array.from({ length: 4 }, () => reader.signed()) : null;
    return { id, layer, stature, joints, box };
  }

  #read(reader, visible, before) {
    let done = null;
    return before.map((own, place) => {
      if (!((visible >> place) & 1)) return null;
      const [u, v] = own ?? done ?? [0, 0];
      done = [u + reader.signed(), v + reader.signed()];
      return done;
    });
  }
}

function mask(joints) {
  return joints.reduce((bits, position, place) => (position ? bits | (1 << place) : bits), 0);
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function report(reader) {
  const replay = Boolean(reader.byte());
  const events = reader.list(() => ({
    id: reader.unsigned(),
    label: reader.text(),
    phase: reader.byte(),
    alarm: Boolean(reader.byte()),
    confidence: reader.unsigned(),
    subjects: reader.list(() => reader.unsigned()),
    start: reader.unsigned(),
    evidence: reader.text(),
  }));
  return { replay, events };
}

function state(reader) {
  return {
    state: STATES[reader.byte()],
    sight: reader.byte(),
    age: reader.unsigned(),
    recognised: Boolean(reader.byte()),
  };
}
