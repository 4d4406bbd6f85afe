import { describe, expect, test } from 'vitest';
import { setFields } from '../../../shared/tenants/set-fields.ts';
import { Tenant } from '../../../shared/tenants/tenant.ts';

const acme = Tenant.parse({ id: 'acme', name: 'Acme', limits: { tools: { kv_set: 50 } } });

function problemsOf(...fields: string[]): string[] {
  try {
    setFields(acme, fields);
  } catch (error) {
    return error instanceof Error ? error.message.split('\n') : [];
  }
  return [];
}

describe('setting fields of a tenant', () => {
  test('changes those and no others', () => {
    const before = structuredClone(acme);
    expect(
      setFields(acme, [
        'weight=0.5',
        'name=Acme = Co',
        'limits.concurrency=5',
        'limits.aws.s3Get=1',
      ]),
    ).toEqual({
      ...acme,
      weight: 0.5,
      name: 'Acme = Co',
      limits: { ...acme.limits, concurrency: 5, aws: { ...acme.limits.aws, s3Get: 1 } },
    });
    expect(acme).toEqual(before);
  });

  test('gives a tool a rate and takes it away', () => {
    expect(setFields(acme, ['limits.tools.kv_get=7']).limits.tools).toEqual({
      kv_set: 50,
      kv_get: 7,
    });
    expect(setFields(acme, ['limits.tools.kv_set=']).limits.tools).toEqual({});
  });

  test.each([
    ['limits.concurrency', 'limits.concurrency: write it as field=value'],
    ['=5', '=5: write it as field=value'],
    ['colour=red', 'colour: no such field'],
    ['limits.burst=5', 'limits.burst: no such field'],
    ['limits=5', 'limits: no such field'],
    ['__proto__.x=5', '__proto__.x: no such field'],
    ['toString=5', 'toString: no such field'],
    ['weight=', 'weight: needs a value'],
    ['version=9', 'version: cannot be set'],
    ['shard=1', 'shard: cannot be set'],
    ['id=other', 'id: cannot be set'],
  ])('refuses %j', (field, problem) => {
    expect(problemsOf(field)).toEqual([problem]);
  });

  test.each(['limits.concurrency=-1', 'limits.concurrency=ten', 'weight=0', 'limits.kvBytes=1.5'])(
    'refuses %j by the name of its field',
    (field) => {
      expect(problemsOf(field)).toEqual([expect.stringContaining(`${field.split('=')[0]}: `)]);
    },
  );

  test('refuses a tool that there is not, naming those there are', () => {
    expect(problemsOf('limits.tools.kv_sett=5')).toEqual([
      expect.stringMatching(/^limits\.tools\.kv_sett: no such tool; tools are kv_get, kv_set, /),
    ]);
  });

  test('names every problem at once', () => {
    expect(problemsOf('colour=red', 'weight=-1')).toHaveLength(2);
  });
});
