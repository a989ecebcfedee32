// Tells those who do not see the page when the state of a room changes, or an alarm comes.

import { text } from "./strings.js";

// A state that lasts less than this, in ms, is not told.
const SETTLE_MS = 500;

export class Announcer {
  #element;
  #told = new Map();
  #next = new Map();

  constructor(element) {
    this.#element = element;
  }

  update(rooms, now) {
    for (const room of rooms) {
      const status = room.status(now);
      const alarms = room.alarms.map((event) => text.label(event.label)).join(", ");
      const detail = status.kind === "blind" ? text.sight(status.sight) : "";
      const what = text.announce(room.name, text.states[status.kind], [detail, alarms].filter(Boolean).join(", "));
      if (this.#next.get(room)?.what !== what) this.#next.set(room, { what, since: now });
      const settled = now - this.#next.get(room).since >= SETTLE_MS;
      if (settled && this.#told.get(room) !== what) {
        // What a room is at first is no news, unless it is bad.
        const isNews = this.#told.has(room) || status.kind !== "live" || alarms;
        this.#told.set(room, what);
        if (isNews) this.#element.textContent = what;
      }
    }
  }
}
