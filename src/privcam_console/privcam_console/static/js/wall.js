// All rooms at once.

import { element, Picture } from "./picture.js";
import { text } from "./strings.js";

export class Wall {
  #cards = new Map();
  #empty = element("p", "empty", text.noRooms);

  constructor() {
    this.element = element("ul", "wall");
    this.element.append(this.#empty);
  }

  // Show these rooms, in this order.
  set(rooms) {
    for (const room of rooms) if (!this.#cards.has(room.name)) this.#cards.set(room.name, new Card(room));
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
    this.#picture = new Picture(room);
    const link = element("a", "card");
    link.href = `#/room/${encodeURIComponent(room.name)}`;
    const caption = element("span", "card-caption");
    caption.append(element("span", "name", room.name), this.#count);
    link.append(this.#picture.element, caption);
    this.element = element("li", "card-item");
    this.element.dataset.room = room.name;
    this.element.append(link);
  }

  update(now) {
    this.#picture.update(now);
    // Whom a blind camera does not see is not counted.
    const count = this.#picture.shown.kind === "live" ? text.people(this.#room.people) : this.#picture.shown.word;
    if (this.#count.textContent !== count) this.#count.textContent = count;
  }
}
