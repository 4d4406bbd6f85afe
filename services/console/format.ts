/** Numbers, sizes and times as people read them. */
const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

export const count = (value: number): string => whole.format(value);

export const rate = (value: number): string => short.format(value);

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${short.format(value / 1_000 ** power)} ${units[power] ?? ''}`;
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${short.format(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${short.format(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

const clock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

export const moment = (at: number): string => clock.format(at);
