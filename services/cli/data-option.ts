/** Where a local cluster keeps its data, as every command takes it. */
import { Option } from 'commander';
import { join } from 'node:path';

export interface DataOptions {
  readonly data: string;
  readonly json?: boolean;
}

const standard = join(import.meta.dirname, '../../.mesh');

export function dataOption(): Option {
  return new Option('--data <folder>', 'data folder of the local cluster').default(
    standard,
    '.mesh',
  );
}
