// The points of body and hands over the picture, or of a sign's loop in a square.

// Body, left hand, right hand: of Okabe and Ito's colours, which the colour-blind tell apart.
const COLOURS = ["#56b4e9", "#d55e00", "#009e73"];

export function drawPoints(canvas, points, lines) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  if (!points || !lines) return;
  context.lineWidth = Math.max(2, Math.min(width, height) / 160);
  context.lineCap = "round";
  const parts = [[points.body, lines.body], [points.hands[0], lines.hand], [points.hands[1], lines.hand]];
  parts.forEach(([places, joints], part) => {
    context.strokeStyle = COLOURS[part];
    context.beginPath();
    for (const [from, to] of joints) {
      if (!places[from] || !places[to]) continue;
      context.moveTo(places[from][0] * width, places[from][1] * height);
      context.lineTo(places[to][0] * width, places[to][1] * height);
    }
    context.stroke();
  });
}

// A moment of a loop, [x, y] in thousandths for body, left hand and right hand in turn, as points.
export function pointsOfMoment(moment) {
  const scaled = moment.map(place => place && [place[0] / 1000, place[1] / 1000]);
  return { body: scaled.slice(0, 33), hands: [scaled.slice(33, 54), scaled.slice(54, 75)] };
}
