// All rooms at once.

import { element, Picture } from "./picture.js";
import { text } from "./strings.js";

// Small pictures of many rooms are drawn less often than one large one: somewhat more often than frames come.
const PERIOD_MS = 60;

export class Wall {
  #cards = new Map();
  #empty = element("p", "empty", text.noRooms);
  #watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) this.#cards.get(target.dataset.room).isInView = isIntersecting;
  });

  constructor() {
    this.element = element("ul", "wall");
    this.element.append(this.#empty);
  }

  // Show these rooms, in this order.
  set(rooms) {
    for (const room of rooms) {
      if (this.#cards.has(room.name)) continue;
      const card = new Card(room);
      this.#cards.set(room.name, card);
      this.#watch.observe(card.element);
    }
    this.#empty.hidden = rooms.length > 0;
    const cards = rooms.map((room) => this.#cards.get(room.name).element);
    // Only where something changed: to move an element takes the focus away from it.
    const there = [...this.element.children].slice(1);
    if (cards.some((card, place) => card !== there[place])) this.element.replaceChildren(this.#empty, ...cards);
  }

  update(now) {
    for (const card of this.#cards.values()) card.update(now);
  }
}

class Card {
  #room;
  #picture;
  #count = element("span", "count");

  constructor(room) {
    this.#room = room;
    this.#picture = new Picture(room, PERIOD_MS);
    const link = element("a", "card");
    link.href = `#/room/${encodeURIComponent(room.name)}`;
    const caption = element("span", "card-caption");
    caption.append(element("span", "name", room.name), this.#count);
    link.append(this.#picture.element, caption);
    this.element = element("li", "card-item");
    this.element.dataset.room = room.name;
    this.element.append(link);
  }

  set isInView(isInView) {
    this.#picture.isInView = isInView;
  }

  update(now) {
    this.#picture.update(now);
    // Whom a blind camera does not see is not counted.
    const count = this.#picture.shown.kind === "live" ? text.counted(this.#room.people, this.#room.unseen) : this.#picture.shown.word;
    if (this.#count.textContent !== count) this.#count.textContent = count;
  }
}
