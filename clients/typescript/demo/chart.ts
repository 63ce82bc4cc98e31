/** An event at a client. */
export interface Arrival {
  readonly at: number;
  readonly ms: number;
  readonly isLive: boolean;
}

const WIDTH = 1000;
const HEIGHT = 240;
/** What the scale shows, in milliseconds; arrivals below and above stand at its edges. */
const MARKS: readonly (readonly [number, string])[] = [
  [1, '1 ms'],
  [10, '10 ms'],
  [100, '100 ms'],
  [1000, '1 s'],
  [10_000, '10 s'],
];
const TOP = Math.log10(20_000);
const SVG = 'http://www.w3.org/2000/svg';

/** Draws when each arrival was, from left to right, and how long it took, upwards. */
export function drawChart(
  chart: SVGSVGElement,
  scale: HTMLElement,
  arrivals: Arrival[],
  now: number,
  span: number,
): void {
  if (!scale.firstChild) drawScale(chart, scale);
  for (const [name, isLive] of [
    ['live', true],
    ['polling', false],
  ] as const) {
    const points = arrivals
      .filter((arrival) => arrival.isLive === isLive)
      .map(
        (arrival) => `M${(WIDTH * (1 - (now - arrival.at) / span)).toFixed(1)} ${height(arrival.ms).toFixed(1)}h.01`,
      );
    pathOf(chart, name).setAttribute('d', points.join(''));
  }
}

function drawScale(chart: SVGSVGElement, scale: HTMLElement): void {
  for (const [ms, text] of MARKS) {
    const line = document.createElementNS(SVG, 'line');
    const y = height(ms);
    for (const [name, value] of Object.entries({ x1: 0, x2: WIDTH, y1: y, y2: y }))
      line.setAttribute(name, String(value));
    chart.append(line);
    const mark = document.createElement('span');
    mark.textContent = text;
    mark.style.top = `${(y / HEIGHT) * 100}%`;
    scale.append(mark);
  }
}

function pathOf(chart: SVGSVGElement, name: string): Element {
  const found = chart.querySelector(`path.${name}`);
  if (found) return found;
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('class', name);
  chart.append(path);
  return path;
}

function height(ms: number): number {
  const part = Math.min(1, Math.max(0, Math.log10(Math.max(ms, 1)) / TOP));
  return HEIGHT - 12 - part * (HEIGHT - 24);
}
