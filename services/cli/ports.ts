/** What every command needs from outside. */
export interface CliPorts {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
  /** Writes the text and a line end to standard output. */
  readonly print: (text: string) => void;
}
