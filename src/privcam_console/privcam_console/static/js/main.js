// The page: which rooms there are, which of them is large, and one loop that keeps the screen up to date.

import { Announcer } from "./announcer.js";
import { Room } from "./room.js";
import { RoomView } from "./room_view.js";
import { text } from "./strings.js";
import { Wall } from "./wall.js";

const LIST_PERIOD_MS = 3000;

const stage = document.getElementById("stage");
const notice = document.getElementById("notice");
const announcer = new Announcer(document.getElementById("announcements"));
const wall = new Wall();
const rooms = new Map();
let view = wall;

async function listRooms() {
  try {
    const answer = await fetch("/api/v1/cameras");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { cameras } = await answer.json();
    const before = rooms.size;
    for (const { camera_id: name } of cameras) if (!rooms.has(name)) rooms.set(name, new Room(name));
    wall.set([...rooms.values()].sort((a, b) => a.name.localeCompare(b.name)));
    notice.textContent = "";
    if (rooms.size !== before) route();
  } catch {
    notice.textContent = text.noConsole;
  }
  setTimeout(listRooms, LIST_PERIOD_MS);
}

// Shows what the address names: #/room/NAME, or all rooms.
function route() {
  const name = decodeURIComponent(location.hash.match(/^#\/room\/(.+)$/)?.[1] ?? "");
  const room = rooms.get(name);
  if (room && view.room === room) return;
  view = room ? Object.assign(new RoomView(room), { room }) : wall;
  document.title = room ? `${name} – ${text.appName}` : text.appName;
  stage.replaceChildren(view.element);
  view.title?.focus({ preventScroll: true });
}

function frame(now) {
  view.update(now);
  announcer.update(rooms.values(), now);
  requestAnimationFrame(frame);
}

addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !view.room) return;
  if (event.key === "Escape") location.hash = "#/";
  if (event.key.toLowerCase() === "p") view.togglePause();
});

document.title = text.appName;
route();
listRooms();
requestAnimationFrame(frame);
