/** The one error that reaches a client of the local AWS; whatever else is thrown is answered as InternalServerError. */

export class AwsError extends Error {
  override readonly name = 'AwsError';
  /** As the real service names it. */
  readonly code: string;
  readonly status: number;
  /** Members of the answer besides code and message. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    status = 400,
    members: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.code = code;
    this.status = status;
    this.members = members;
  }
}

export function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message);
}
