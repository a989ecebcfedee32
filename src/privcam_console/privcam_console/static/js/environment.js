// The environment picture of a room: muted, so that people stand out, and hatched where nothing may be shown.

// The same look as privcam_core/drawing/contour.py: what is kept of the colour, and of the brightness.
const COLOUR = 0.55, BRIGHTNESS = 0.80;
const NOT_SHOWN = "rgb(62, 68, 74)", NOT_SHOWN_LINE = "rgb(80, 86, 92)";
const PITCH = 14;
const RETRY_MS = 2000;

export class Environment {
  #digest = "";
  #timer = 0;
  // The picture, or null while it has not come: people are drawn on the hatched surface then.
  picture = null;
  // Counts what came, so that the view knows when to draw again.
  version = 0;

  // Load the picture with this digest. The one before is gone at once: it shows another environment.
  show(digest) {
    if (digest === this.#digest) return;
    this.#digest = digest;
    this.picture = null;
    this.version += 1;
    this.#load(digest);
  }

  close() {
    this.#digest = "";
    clearTimeout(this.#timer);
  }

  async #load(digest) {
    const image = new Image();
    image.src = `/env/${digest}`;
    try {
      await image.decode();
    } catch {
      if (digest === this.#digest) this.#timer = setTimeout(() => this.#load(digest), RETRY_MS);
      return;
    }
    if (digest !== this.#digest) return;
    this.picture = mute(image);
    this.version += 1;
  }
}

// Returns a canvas of the size of the picture. Its transparent pixels are those that are not confirmed.
function mute(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  for (let at = 0; at < data.length; at += 4) {
    const gray = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    for (let channel = 0; channel < 3; channel += 1) {
      data[at + channel] = BRIGHTNESS * (COLOUR * data[at + channel] + (1 - COLOUR) * gray);
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// Fills a context with the surface that says "not shown here".
export function hatch(context, width, height) {
  context.fillStyle = NOT_SHOWN;
  context.fillRect(0, 0, width, height);
  context.strokeStyle = NOT_SHOWN_LINE;
  context.lineWidth = 1;
  context.beginPath();
  for (let start = -height; start < width; start += PITCH) {
    context.moveTo(start, height);
    context.lineTo(start + height, 0);
  }
  context.stroke();
}
