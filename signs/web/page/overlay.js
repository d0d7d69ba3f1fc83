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
  if (points.head) drawHead(context, points, width, height);
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

// An oval around the eyes, and a neck to the shoulders.
function drawHead(context, { body, head: [across, down] }, width, height) {
  const middleOf = places => places.every(Boolean) &&
    [0, 1].map(axis => places.reduce((sum, place) => sum + place[axis], 0) / places.length);
  const middle = middleOf([1, 3, 4, 6].map(point => body[point]));
  const shoulders = middleOf([body[11], body[12]]);
  if (!middle) return;
  context.strokeStyle = COLOURS[0];
  context.beginPath();
  context.ellipse(middle[0] * width, middle[1] * height, across * width, down * height, 0, 0, 2 * Math.PI);
  if (shoulders) {
    context.moveTo(middle[0] * width, (middle[1] + down) * height);
    context.lineTo(shoulders[0] * width, shoulders[1] * height);
  }
  context.stroke();
}

// A moment of a loop, [x, y] in thousandths for body, left hand and right hand in turn, as points; head: its radii.
export function pointsOfMoment(moment, head) {
  const scaled = moment.map(place => place && [place[0] / 1000, place[1] / 1000]);
  const hands = [scaled.slice(33, 54), scaled.slice(54, 75)];
  return { body: scaled.slice(0, 33), hands, head: head.map(radius => radius / 1000) };
}
