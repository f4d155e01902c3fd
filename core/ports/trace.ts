/**
 * What happens inside, told once: the logs, the metrics and the simulator's coverage all read from here.
 *
 * An event name is a constant such as `takeover.window.nonempty`; fields are small and never hold record bytes or secrets.
 */
export interface Trace {
  event(name: string, fields?: Readonly<Record<string, string | number | boolean | undefined>>): void;
}
