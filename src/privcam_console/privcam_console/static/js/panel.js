// What stands beside the picture of one room: privacy, people, events.

import { clock, element } from "./picture.js";
import { cssColour } from "./people.js";
import { text } from "./strings.js";

const PERIOD_MS = 250;
const words = text.panel;

export class Panel {
  #room;
  #values = new Map();
  #now = element("ul", "events");
  #earlier = element("ul", "events earlier");
  #updated = 0;
  #reported = -1;

  constructor(room) {
    this.#room = room;
    this.element = element("aside", "panel");
    const list = element("dl", "values");
    for (const name of ["verdict", "withheld", "epsilon", "people", "sight", "time", "bits"]) {
      const value = element("dd", "value");
      value.dataset.value = name;
      this.#values.set(name, value);
      list.append(element("dt", "name", words[name]), value);
    }
    this.element.append(list, element("h2", "heading", words.events), this.#now);
    this.element.append(element("h2", "heading", words.earlier), this.#earlier);
  }

  // shown: what the picture says, see Picture.
  update(now, shown) {
    if (now - this.#updated < PERIOD_MS) return;
    this.#updated = now;
    const { pose } = this.#room;
    const isNow = pose && ["live", "blind"].includes(shown.kind);
    // Of a picture that is not of now no number is shown either.
    this.#set("verdict", isNow ? (pose.passed ? words.passed : words.withheldVerdict) : "–");
    this.#set("withheld", isNow ? text.percent(pose.withheld) : "–");
    this.#set("epsilon", isNow ? (pose.epsilon === null ? words.noAccounting : words.budget(pose.epsilon)) : "–");
    this.#set("people", isNow ? text.counted(this.#room.people, this.#room.unseen) : "–");
    this.#set("sight", isNow ? text.sight(pose.sight) : "–");
    this.#set("time", pose ? clock(pose.stamp) : "–");
    const bits = this.#room.bits(now);
    this.#set("bits", bits ? words.kbits(bits) : "–");
    this.element.dataset.now = String(Boolean(isNow));
    if (this.#room.reportVersion === this.#reported) return;
    this.#reported = this.#room.reportVersion;
    const rows = (events) => events.map(row);
    this.#now.replaceChildren(...rows(alarmsFirst(this.#room.events)));
    if (!this.#room.events.length) this.#now.append(element("li", "none", words.none));
    this.#earlier.replaceChildren(...rows(this.#room.earlier.toReversed()));
    if (!this.#room.earlier.length) this.#earlier.append(element("li", "none", words.none));
  }

  #set(name, value) {
    const place = this.#values.get(name);
    if (place.textContent !== value) place.textContent = value;
  }
}

function alarmsFirst(events) {
  return [...events.filter((event) => event.alarm), ...events.filter((event) => !event.alarm)];
}

function row(event) {
  const item = element("li", "event");
  item.dataset.alarm = String(event.alarm);
  item.style.setProperty("--colour", cssColour(event.subjects[0] ?? 1, event.alarm));
  const who = event.subjects.map(text.subject).join(", ");
  item.append(element("strong", "event-label", text.label(event.label)));
  const measured = [who, words.since(clock(event.start)), words.confidence(event.confidence)];
  item.append(element("span", "event-measured", measured.filter(Boolean).join(" · ")));
  if (event.evidence) item.append(element("span", "event-evidence", event.evidence));
  return item;
}
