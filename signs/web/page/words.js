// The words of the page, from the one table: say("queue.place", {place: 1, waiting: 2}).

const table = await (await fetch("/page/words.json")).json();

export function say(name, values = {}) {
  return (table[name] ?? "").replace(/\{(\w+)\}/g, (all, key) => values[key] ?? all);
}
