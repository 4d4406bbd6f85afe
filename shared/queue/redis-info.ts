/** One field of what Redis' INFO tells; undefined where it does not tell it. */
export const infoField = (info: string, field: string): string | undefined =>
  new RegExp(String.raw`^${field}:(\S+)`, 'm').exec(info)?.[1];
