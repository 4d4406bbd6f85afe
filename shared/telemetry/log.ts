/** The root logger: JSON lines on stderr, or a person's format on a terminal. Secrets and arguments never reach it. */
import { pino, type Logger } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { traceFields } from './spans.ts';

export type Log = Logger;

const redacted = ['authorization', 'apiKey', 'token', 'arguments', 'secret', '*.authorization'];

export function createLog(service: string, level: string): Log {
  const options = {
    level,
    base: { service, pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    mixin: traceFields,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redacted, censor: '[redacted]' },
  };
  return process.stderr.isTTY
    ? pino(options, PinoPretty({ destination: 2, sync: true, ignore: 'pid,hostname' }))
    : pino(options, pino.destination({ dest: 2, sync: false }));
}
