// The signs that the model knows, each as the skeleton of somebody who makes it, as in a mirror.

import { $, make } from "./elements.js";
import { drawPoints, pointsOfMoment } from "./overlay.js";

const PAUSE = 0.5;  // seconds for which a loop rests at its end
const SIDE = 160;   // pixels of a skeleton
const still = matchMedia("(prefers-reduced-motion: reduce)");

export function prepareSigns(about) {
  const shown = [];
  $("signs").addEventListener("toggle", async () => {
    if (!$("signs").open || $("loops").children.length) return;
    $("signs-still").hidden = !still.matches;
    for (const sign of about.signs) {
      const item = make("li");
      $("loops").append(item);
      if (sign.loop !== null) {
        const canvas = make("canvas", "", { width: SIDE, height: SIDE });
        canvas.setAttribute("aria-hidden", "true");
        item.append(canvas);
        fetch(`/loops/${sign.loop}.json`).then(answer => answer.json()).then(loop => shown.push({ canvas, loop }));
      }
      item.append(make("bdi", sign.name));
    }
    turn();
  });

  function turn() {
    const now = performance.now() / 1000;
    for (const { canvas, loop } of shown) {
      if (!loop.moments.length) continue;
      const part = still.matches ? 0.5 : Math.min(0.999, (now % (loop.seconds + PAUSE)) / loop.seconds);
      const moment = pointsOfMoment(loop.moments[Math.floor(part * loop.moments.length)], loop.head);
      const context = canvas.getContext("2d");
      context.setTransform(-1, 0, 0, 1, SIDE, 0);
      drawPoints(canvas, moment, { ...about.lines, body: about.lines.alone });
    }
    if ($("signs").open) setTimeout(turn, still.matches ? 1000 : 66);
    else $("signs").addEventListener("toggle", turn, { once: true });
  }
}
