/** Lines over the last five minutes. The figures beside it say the same in words. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  readonly label: string;
  /** One value for each time; null where there is none. */
  readonly values: readonly (number | null)[];
  /** A custom property of the style sheet. */
  readonly color: string;
}

interface ChartProps {
  readonly title: string;
  /** How a value is written. */
  readonly show: (value: number) => string;
  /** Epoch ms. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
}

const height = 170;
const spanSeconds = 300;

export function Chart({ title, show, times, lines }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = toData(times, lines);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, show, lines), data, element);
    };
    draw();
    const theme = matchMedia('(prefers-color-scheme: dark)');
    theme.addEventListener('change', draw);
    const resize = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height }),
    );
    resize.observe(element);
    return () => {
      theme.removeEventListener('change', draw);
      resize.disconnect();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [times.at(-1), times.length]);

  const last = lines.map(({ label, values }) => {
    const value = values.at(-1) ?? undefined;
    return `${label} ${value === undefined ? 'none' : show(value)}`;
  });
  return (
    <figure class="chart">
      <figcaption>
        {title}
        <span class="legend" aria-hidden="true">
          {lines.map(({ label, color }) => (
            <span key={label} class="key" data-color={color}>
              {label}
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={box} role="img" aria-label={`${title}: now ${last.join(', ')}`} />
    </figure>
  );
}

function toData(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [times.map((at) => at / 1_000), ...lines.map(({ values }) => [...values])];
}

function optionsOf(
  element: HTMLElement,
  show: ChartProps['show'],
  lines: readonly Line[],
): uPlot.Options {
  const color = (name: string): string => getComputedStyle(element).getPropertyValue(`--${name}`);
  const axis = {
    stroke: color('quiet'),
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui',
  };
  return {
    width: element.clientWidth,
    height,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (_plot, _min, max) => [max - spanSeconds, max] },
      y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.15)] },
    },
    axes: [
      { ...axis, size: 28, values: (_plot, ticks) => ticks.map(toClock), space: 70 },
      {
        ...axis,
        size: 52,
        values: (_plot, ticks) => ticks.map(show),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, color: name }) => ({
        label,
        stroke: color(name),
        width: 2,
        points: { show: false },
      })),
    ],
  };
}

function toClock(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
}
