import { diagnosticsEcho } from '../../../shared/tools/diagnostics-echo.ts';
import { implement } from '../implement.ts';

/** Handler of `diagnostics_echo`. */
export const echo = implement(diagnosticsEcho, async ({ text }) => ({ text }));
