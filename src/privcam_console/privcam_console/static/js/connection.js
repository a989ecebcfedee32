// One WebSocket to the live view of one camera. It comes back by itself.

import { LiveDecoder, STATE } from "./decoder.js";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8000;
const NOTHING = new Uint8Array(0);

export class Connection {
  #camera;
  #onMessage;
  #retry = FIRST_RETRY_MS;
  #timer = 0;
  #socket = null;

  // onMessage(message, bytes): bytes is the length of the payload.
  constructor(camera, onMessage) {
    this.#camera = camera;
    this.#onMessage = onMessage;
    this.#open();
  }

  close() {
    clearTimeout(this.#timer);
    this.#timer = -1;
    this.#socket?.close();
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live/${encodeURIComponent(this.#camera)}`);
    const decoder = new LiveDecoder();
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event) => {
      try {
        const message = decoder.decode(event.data);
        this.#retry = FIRST_RETRY_MS;
        this.#onMessage(message, event.data.byteLength);
        // The console sends no more to who does not answer, so that nobody looks at a picture of minutes ago.
        if (message.kind === STATE) socket.send(NOTHING);
      } catch (error) {
        console.error(`live view of ${this.#camera}: ${error.message}`);
        socket.close();
      }
    });
    socket.addEventListener("close", () => {
      if (this.#timer === -1) return;
      this.#timer = setTimeout(() => this.#open(), this.#retry);
      this.#retry = Math.min(2 * this.#retry, LAST_RETRY_MS);
    });
    this.#socket = socket;
  }
}
