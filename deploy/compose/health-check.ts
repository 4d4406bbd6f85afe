/**
 * The image's health check: exit code 0 if the process in this container is ready for work. It
 * asks the admin port, or the URL that it is given, where anything but a server error will do.
 */
const { env, argv } = process;
const url = argv[2] ?? `http://127.0.0.1:${env['ADMIN_PORT'] ?? '3001'}/readyz`;

/** Below the image's own limit, so that the reason is told. */
const timeoutMs = 2_500;

try {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  process.stdout.write(`${response.status} ${(await response.text()).slice(0, 200)}\n`);
  process.exitCode = response.status < 500 ? 0 : 1;
} catch (error) {
  process.stdout.write(`${url}: ${String(error)}\n`);
  process.exitCode = 1;
}
