/** The account and region that the local AWS plays, and the names it gives to resources. */

export const accountId = '000000000000';

export interface Account {
  readonly region: string;
  arn(service: string, resource: string): string;
}

export function accountIn(region: string): Account {
  return {
    region,
    arn: (service, resource) => `arn:aws:${service}:${region}:${accountId}:${resource}`,
  };
}
