// The camera: its pictures as JPEG, as large as a network needs them and never mirrored, each with its own time.
//
//   const camera = new Camera(video, link); await camera.start(); camera.rate = 12; camera.stop()

const LONGEST = 640;     // pixels of the longer side of what is sent
const QUALITY = 0.85;

export class Camera {
  constructor(video, link) {
    Object.assign(this, { video, link, rate: 15, next: 0, coding: false, on: false, shown: false });
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
  }

  // Throws what getUserMedia throws; NotSupportedError where there is none, as without HTTPS.
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("", "NotSupportedError");
    const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: "user" };
    this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.on = this.shown = true;  // shown: at some time
    this.stream.getVideoTracks()[0].addEventListener("ended", () => { this.stop(); this.ended?.(); });
    this.follow();
  }

  stop() {
    this.on = false;
    this.stream?.getTracks().forEach(track => track.stop());
    this.video.srcObject = null;
  }

  follow() {
    if (!this.on) return;
    if (this.video.requestVideoFrameCallback) {
      this.video.requestVideoFrameCallback(now => { this.take(now); this.follow(); });
    } else {
      setTimeout(() => { this.take(performance.now()); this.follow(); }, 1000 / 30);
    }
  }

  take(now) {
    // A little early rather than a frame late: the camera's frames come unevenly.
    if (this.coding || now < this.next - 8 || !this.link.ready || !this.video.videoWidth) return;
    this.next = Math.max(this.next + 1000 / this.rate, now);
    const { videoWidth: width, videoHeight: height } = this.video;
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.context.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.coding = true;
    this.canvas.toBlob(async blob => {
      if (blob) await this.link.frame(now / 1000, blob);
      this.coding = false;
    }, "image/jpeg", QUALITY);
  }
}
