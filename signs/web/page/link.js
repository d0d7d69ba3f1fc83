// The connection to this visitor's session: a WebSocket or, where a browser refuses that, one request after the other.
//
//   const link = new Link(view => ...); link.open(); link.frame(seconds, blob); link.order("start")
//
// An iPhone refuses a WebSocket behind a certificate that it does not trust, without saying so: who never gets one
// open goes on by requests. Frames that the server has not taken yet are counted, so that none queue up.

const PATIENCE = 4000;   // ms in which a WebSocket has to open
const UNDERWAY = 3;      // frames that may be
const LOST = 2000;       // ms after which frames that are still underway are taken for lost
const POLL = 150, POLL_WAITING = 1000;  // ms between two looks without frames
const ELSEWHERE = 4001, FULL = 4002, REFUSED = 1008;

export class Link {
  constructor(show, told) {
    this.show = show;    // gets each view
    this.told = told;    // gets "", "lost", "http", "elsewhere", "full", "denied"
    this.sent = this.taken = 0;
    this.opened = this.http = this.busy = false;
    this.failures = 0;
  }

  open() {
    this.told(this.http ? "http" : "");
    if (this.http) return this.poll();
    const socket = this.socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/live`);
    socket.binaryType = "arraybuffer";
    const late = setTimeout(() => socket.close(), PATIENCE);
    socket.onopen = () => {
      clearTimeout(late);
      this.opened = this.fresh = true;
      this.failures = 0;
      this.told("");
    };
    socket.onmessage = event => this.seen(JSON.parse(event.data));
    socket.onclose = event => { clearTimeout(late); this.closed(event.code); };
  }

  closed(code) {
    this.socket = null;
    if (code === ELSEWHERE) return this.told("elsewhere");
    if (code === FULL) return this.told("full");
    this.failures += 1;
    if (!this.opened || this.failures > 4) {
      this.http = true;
      return this.open();
    }
    this.told("lost");
    setTimeout(() => this.open(), code === REFUSED ? 2000 : 300 * this.failures);
  }

  seen(view) {
    this.at = view.at;
    if (view.taken !== undefined) {
      if (this.fresh || view.taken < this.taken || view.taken > this.sent) this.sent = view.taken;
      if (view.taken !== this.taken || this.fresh) this.moved = performance.now();
      this.taken = view.taken;
      this.fresh = false;
    }
    this.show(view);
  }

  // Whether a frame may be sent now.
  get ready() {
    if (this.at !== "live") return false;
    if (this.http) return !this.busy;
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN || this.socket.bufferedAmount > 200_000) return false;
    if (performance.now() - this.moved > LOST) { this.sent = this.taken; this.moved = performance.now(); }
    return this.sent - this.taken < UNDERWAY;
  }

  async frame(seconds, blob) {
    const message = new Uint8Array(8 + blob.size);
    new DataView(message.buffer).setFloat64(0, seconds, true);
    message.set(new Uint8Array(await blob.arrayBuffer()), 8);
    if (this.http) {
      this.busy = true;
      await this.post("/frame", message);
      this.busy = false;
    } else if (this.socket?.readyState === WebSocket.OPEN) {
      this.sent += 1;
      this.socket.send(message);
    }
  }

  order(what, value = null) {
    const text = JSON.stringify({ do: what, value });
    if (this.http) this.post("/order", text);
    else if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  async post(path, body) {
    this.asked = performance.now();
    try {
      const response = await fetch(path, { method: "POST", body });
      if (response.status === 403) { this.denied = true; return this.told("denied"); }
      if (!response.ok) throw new Error(response.status);
      this.told("http");
      this.seen(await response.json());
    } catch {
      this.told("lost");
    }
  }

  async poll() {
    while (!this.denied) {
      const every = this.at === "live" ? POLL : POLL_WAITING;
      if (!this.busy && performance.now() - (this.asked ?? -every) >= every) await this.post("/order", '{"do":"look"}');
      await new Promise(done => setTimeout(done, POLL / 2));
    }
  }
}
