/** How much of a limit is used: as text, and as a bar for the eye. */
interface MeterProps {
  readonly label: string;
  readonly used: number;
  readonly limit: number;
  readonly show?: (value: number) => string;
}

export function Meter({ label, used, limit, show = String }: MeterProps) {
  const share = limit > 0 ? Math.min(1, used / limit) : used > 0 ? 1 : 0;
  const level = share >= 1 ? 'full' : share >= 0.8 ? 'high' : '';
  return (
    <span class={`meter ${level}`}>
      <span class="meter-text">
        {show(used)} <span class="of">of {show(limit)}</span>
      </span>
      <progress aria-label={label} max={1} value={share} />
    </span>
  );
}
