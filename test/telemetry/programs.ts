/** Programs that a machine may not have: Debian's package prometheus brings both. */
import { spawnSync } from 'node:child_process';

const isThere = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

export const hasPrometheus = isThere('prometheus') && isThere('promtool');
/** Why tests are skipped without it, for their names. */
export const needsPrometheus = hasPrometheus ? '' : ' (skipped: no prometheus on PATH)';
