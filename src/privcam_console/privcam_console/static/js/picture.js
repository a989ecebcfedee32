// Draws one room on a canvas, and says over it what may not be missed.

import { hatch } from "./environment.js";
import { People } from "./people.js";
import { LOCALE, text } from "./strings.js";

// The canvas has at most so many px for one of the environment.
const MAX_SCALE = 2;

export class Picture {
  #room;
  #periodMs;
  #drawnAt = 0;
  #canvas = document.createElement("canvas");
  #overlay = element("div", "overlay");
  #word = element("strong", "overlay-word");
  #detail = element("span", "overlay-detail");
  #badges = element("div", "badges");
  #people = new People();
  #drawn = "";
  #shown = "";
  #frozen = null;

  // periodMs: the picture is drawn no more often.
  constructor(room, periodMs = 0) {
    this.#room = room;
    this.#periodMs = periodMs;
    this.#canvas.setAttribute("role", "img");
    this.#overlay.append(this.#word, this.#detail);
    this.element = element("div", "picture");
    this.element.append(this.#canvas, this.#overlay, this.#badges);
  }

  // The state and text that are on the screen, as { kind, word, detail }.
  shown = { kind: "connecting", word: "", detail: "" };

  // Whether it is on the screen: else only its state is kept up to date.
  isInView = true;

  set paused(paused) {
    this.#frozen = paused ? this.#room.playout.at(performance.now()) : null;
  }

  get paused() {
    return this.#frozen !== null;
  }

  // Bring the screen up to date. now: of performance.now().
  update(now) {
    const status = this.#room.status(now);
    const kind = this.paused && status.kind === "live" ? "paused" : status.kind;
    this.#say(kind, status);
    if (!this.#room.hello || kind === "offline" || kind === "connecting") return;
    if (!this.isInView || now - this.#drawnAt < this.#periodMs) return;
    this.#drawnAt = now;
    this.#draw(now);
  }

  #say(kind, status) {
    const word = text.states[kind];
    const since = text.seconds(status.age / 1000);
    const detail = kind === "offline" ? text.details.offline(status.age === Infinity ? "" : since)
      : kind === "blind" ? text.details.blind(text.sight(status.sight))
        : text.details[kind]?.(since) ?? "";
    const badges = [kind === "live" && !status.replay ? text.states.live : ""];
    if (status.replay && kind !== "offline") badges.push(text.states.replay);
    if (!status.recognised && (kind === "live" || kind === "blind")) badges.push(text.noRecognition);
    badges.push(...this.#room.alarms.map((event) => text.label(event.label)));
    this.shown = { kind, word, detail };
    const shown = JSON.stringify([kind, detail, badges]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.element.dataset.state = kind;
    this.element.dataset.alarm = String(this.#room.alarms.length > 0 && kind !== "offline");
    this.#word.textContent = kind === "live" ? "" : word;
    this.#detail.textContent = detail;
    this.#badges.replaceChildren(...badges.filter(Boolean).map((badge) => {
      const label = element("span", "badge", badge);
      label.dataset.badge = badge === text.states.live ? "live" : badge === text.states.replay ? "replay" : "alarm";
      return label;
    }));
    this.#canvas.setAttribute("aria-label", text.picture(this.#room.name, text.counted(this.#room.people, this.#room.unseen)));
  }

  #draw(now) {
    const { hello, environment } = this.#room;
    const moment = this.#frozen ?? this.#room.playout.at(now);
    const ratio = Math.min((this.element.clientWidth * devicePixelRatio) / hello.width, MAX_SCALE) || 1;
    const [width, height] = [Math.round(hello.width * ratio), Math.round(hello.height * ratio)];
    const alarmed = this.#room.alarmed;
    // A room in which nothing moves costs nothing.
    const drawn = [moment?.stamp, environment.version, width, height, [...alarmed], this.#room.reportVersion].join();
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    const context = this.#canvas.getContext("2d");
    hatch(context, width, height);
    if (environment.picture) context.drawImage(environment.picture, 0, 0, width, height);
    const subjects = moment?.subjects ?? [];
    const layer = this.#people.draw(subjects, width, height, hello.step * ratio, alarmed);
    context.drawImage(layer, 0, 0);
  }
}

export function element(tag, className, content = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}

// Returns a time of day of the viewer's place. ms: since the epoch.
export function clock(ms) {
  return new Date(ms).toLocaleTimeString(LOCALE, { hour12: false });
}
