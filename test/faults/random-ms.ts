/** How long faults come at random: a minute, or what FAULTS_SECONDS says. */
export const randomMs = Number(process.env['FAULTS_SECONDS'] ?? 60) * 1_000;
