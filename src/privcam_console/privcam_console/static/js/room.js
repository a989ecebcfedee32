// What the page knows of one room, and whether it may be shown as what happens now.

import { Connection } from "./connection.js";
import { ENV, HELLO, PHASE_ENDED, POSE, REPORT, STATE } from "./decoder.js";
import { Environment } from "./environment.js";
import { Playout } from "./playout.js";

// The console tells the state once a second; without it for so long, in ms, it does not answer.
const SILENCE_MS = 2500;
// Older than this, in ms, what is on the screen may be wrong. The console says so too, but may be gone itself.
const STALE_MS = 2000;
const OFFLINE_MS = 30000;
// Over which the bits are averaged, in ms.
const BITS_WINDOW_MS = 10000;
const KEPT_EVENTS = 20;

export class Room {
  #connection;
  #state = null;
  #stateAt = 0;
  #received = [];
  hello = null;
  pose = null;
  events = [];
  earlier = [];
  reportVersion = 0;
  playout = new Playout();
  environment = new Environment();

  constructor(name) {
    this.name = name;
    this.#connection = new Connection(name, (message, bytes) => this.#take(message, bytes));
  }

  close() {
    this.#connection.close();
    this.environment.close();
  }

  // Returns { kind, age, sight, recognised, replay }. age: of what is on the screen, ms; Infinity if nothing ever came.
  status(now) {
    if (!this.#state) return { kind: "connecting", age: Infinity, sight: 0, recognised: true, replay: false };
    const silence = now - this.#stateAt;
    const { state, sight, age: told, recognised } = this.#state;
    const age = this.pose ? told + silence : Infinity;
    return { kind: kindOf(state, age, silence), age, sight, recognised, replay: this.pose?.replay ?? false };
  }

  get people() {
    return this.pose?.subjects.length ?? 0;
  }

  // People who did not leave, and whom nothing finds.
  get unseen() {
    return this.pose?.unseen ?? 0;
  }

  // The events that a person should look at now.
  get alarms() {
    return this.events.filter((event) => event.alarm);
  }

  // The numbers of those whom an alarm is about.
  get alarmed() {
    return new Set(this.alarms.flatMap((event) => event.subjects));
  }

  // Returns what the live view costs, bit/s of payload; 0 while there is too little to say.
  bits(now) {
    this.#received = this.#received.filter(([at]) => now - at < BITS_WINDOW_MS);
    if (!this.#received.length) return 0;
    const span = now - this.#received[0][0];
    if (span < BITS_WINDOW_MS / 2) return 0;
    return (8000 * this.#received.reduce((sum, [, bytes]) => sum + bytes, 0)) / span;
  }

  #take(message, bytes) {
    const now = performance.now();
    this.#received.push([now, bytes]);
    if (message.kind === STATE) {
      this.#state = message;
      this.#stateAt = now;
    } else if (message.kind === HELLO) {
      this.hello = message;
      this.playout.clear();
    } else if (message.kind === ENV) {
      this.environment.show(message.digest);
    } else if (message.kind === POSE) {
      this.pose = message;
      this.playout.add(message);
    } else if (message.kind === REPORT) {
      this.#report(message.events);
    }
  }

  #report(events) {
    const running = events.filter((event) => event.phase !== PHASE_ENDED);
    const still = new Set(running.map((event) => event.id));
    const ended = [...this.events, ...events.filter((event) => event.phase === PHASE_ENDED)]
      .filter((event) => !still.has(event.id));
    const once = new Map([...this.earlier, ...ended].map((event) => [event.id, event]));
    this.earlier = [...once.values()].filter((event) => !still.has(event.id)).slice(-KEPT_EVENTS);
    this.events = running;
    this.reportVersion += 1;
  }
}

function kindOf(state, age, silence) {
  if (age === Infinity) return silence > SILENCE_MS ? "lost" : "offline";
  if (age > OFFLINE_MS) return "offline";
  if (silence > SILENCE_MS) return "lost";
  if (age > STALE_MS) return "stale";
  return state;
}
