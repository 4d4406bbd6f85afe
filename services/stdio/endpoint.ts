/** Where messages go, and as whom. */

export interface Endpoint {
  readonly url: URL;
  /** Sent as a bearer token. Absent: an ingress with AUTH=off. */
  readonly token?: string | undefined;
}

/**
 * Resolves with the endpoint to use. `failed` is one that could not be reached: whoever can find
 * another one by now does.
 */
export type Locate = (failed?: Endpoint) => Promise<Endpoint>;
