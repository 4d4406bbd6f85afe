/** What a run of the bench is asked for on its command line. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { eras, type Era } from './load/load.ts';
import { targetNames, type TargetName } from './targets/start-targets.ts';

export interface BenchOptions {
  readonly only: readonly string[];
  readonly targets: readonly TargetName[];
  readonly eras: readonly Era[];
  readonly concurrency: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly mostTenants: number;
  readonly leakCalls: number;
  readonly floodCalls: number;
  readonly json: string;
  readonly profiles: string;
}

export function readOptions(scenarios: readonly string[], args: readonly string[]): BenchOptions {
  return new Command('npm run bench --')
    .addOption(
      list('--only <scenarios>', 'scenarios to run', scenarios).default(
        scenarios.filter((each) => each !== 'profile'),
        'all but profile',
      ),
    )
    .addOption(
      list('--targets <names>', 'targets of calls', targetNames).default(targetNames, 'all'),
    )
    .addOption(list('--eras <versions>', 'protocol revisions', eras).default(eras, 'both'))
    .option('--concurrency <numbers>', 'calls in flight', toNumbers, [1, 16, 64])
    .option('--rounds <number>', 'interleaved rounds, of which the median counts', toNumber, 5)
    .option('--seconds <number>', 'length of one measurement', toNumber, 3)
    .option('--warm-up-seconds <number>', 'of each target, before the first round', toNumber, 20)
    .option('--flood-calls <number>', 'calls of flood, in each of its two forms', toNumber, 20_000)
    .option('--most-tenants <number>', 'tenants of tenants', toNumber, 10_000)
    .option('--leak-calls <number>', 'calls of leak', toNumber, 200_000)
    .option('--json <file>', 'where the figures go', '.mesh/bench.json')
    .option('--profiles <folder>', 'where CPU profiles go', '.mesh/profiles')
    .parse([...args], { from: 'user' })
    .opts<BenchOptions>();
}

function list(flags: string, text: string, known: readonly string[]): Option {
  return new Option(flags, `${text}, of ${known.join(',')}`).argParser((value) => {
    const names = value.split(',');
    const strange = names.find((name) => !known.includes(name));
    if (strange !== undefined) throw new InvalidArgumentError(`There is no ${strange}.`);
    return names;
  });
}

function toNumbers(value: string): readonly number[] {
  return value.split(',').map(toNumber);
}

function toNumber(value: string): number {
  const number = Number(value);
  if (number > 0) return number;
  throw new InvalidArgumentError('It must be a number above 0.');
}
