// One room large, with its panel.

import { Panel } from "./panel.js";
import { element, Picture } from "./picture.js";
import { text } from "./strings.js";

export class RoomView {
  #picture;
  #panel;
  #pause = element("button", "pause", text.pause);

  constructor(room) {
    this.#picture = new Picture(room);
    this.#panel = new Panel(room);
    const bar = element("div", "room-bar");
    const back = element("a", "back", `← ${text.allRooms}`);
    back.href = "#/";
    const title = element("h1", "room-name", room.name);
    title.tabIndex = -1;
    this.title = title;
    this.#pause.type = "button";
    this.#pause.addEventListener("click", () => this.togglePause());
    bar.append(back, title, this.#pause);
    const stage = element("div", "stage");
    stage.append(this.#picture.element, element("p", "keys", text.keys));
    const parts = element("div", "room-parts");
    parts.append(stage, this.#panel.element);
    this.element = element("section", "room");
    this.element.append(bar, parts);
  }

  togglePause() {
    this.#picture.paused = !this.#picture.paused;
    this.#pause.textContent = this.#picture.paused ? text.resume : text.pause;
    this.#pause.setAttribute("aria-pressed", String(this.#picture.paused));
  }

  update(now) {
    this.#picture.update(now);
    this.#panel.update(now, this.#picture.shown);
  }
}
