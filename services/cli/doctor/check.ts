/** One thing that the doctor looks at, and what there is to say of it. */
export interface Check {
  readonly name: string;
  readonly run: () => Promise<Finding>;
}

export interface Finding {
  /** A warning may be meant that way; what failed keeps calls from being served, or tenants apart. */
  readonly status: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  /** What to do about it. Absent: nothing. */
  readonly mend?: string;
}

export const ok = (detail: string): Finding => ({ status: 'ok', detail });
export const warning = (detail: string, mend: string): Finding => ({
  status: 'warning',
  detail,
  mend,
});
export const failed = (detail: string, mend: string): Finding => ({
  status: 'failed',
  detail,
  mend,
});
