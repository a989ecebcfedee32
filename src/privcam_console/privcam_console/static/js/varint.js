// Reads the bytes of a message; the counterpart of live/varint.py.

const CONTINUES = 0x80;
const MAX_BYTES = 10;
const utf8 = new TextDecoder("utf-8", { fatal: true });

export class Reader {
  constructor(buffer) {
    this.bytes = new Uint8Array(buffer);
    this.at = 0;
  }

  byte() {
    return this.raw(1)[0];
  }

  unsigned() {
    // By products, not by shifts: those are of 32 bits in JavaScript, and times in ms have more.
    let value = 0;
    let factor = 1;
    for (let place = 0; place < MAX_BYTES; place += 1) {
      const byte = this.byte();
      value += (byte % CONTINUES) * factor;
      if (byte < CONTINUES) return value;
      factor *= CONTINUES;
    }
    throw new Error(`byte ${this.at}: a number has more than ${MAX_BYTES} bytes`);
  }

  signed() {
    const value = this.unsigned();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  }

  raw(count) {
    if (this.at + count > this.bytes.length) throw new Error(`byte ${this.at}: the message ends too early`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  text() {
    return utf8.decode(this.raw(this.unsigned()));
  }

  list(read) {
    return Array.from({ length: this.unsigned() }, read);
  }
}
