// What SIGTERM and SIGINT do: the first ends the process well, and in bounded time; another one at once.
//
// However it ends, what was acknowledged is there at the next start: then it is a crash like any other.

/** A drain takes 3 s at most; the rest is for closing what is open. */
export const STOP_MS_MAX = 5_000;
/** npm passes on what the terminal sends to both: one Ctrl-C is two signals. */
const SAME_SIGNAL_MS = 500;

/** From the first signal on `stop` runs, once; it ends the process. `fail` does where `stop` throws. */
export function onSignals(stop: () => Promise<void>, fail: (error: unknown) => never): void {
  let askedAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (askedAt !== undefined) {
      if (performance.now() - askedAt > SAME_SIGNAL_MS) endNow(`a second ${signal}`);
      return;
    }
    askedAt = performance.now();
    setTimeout(() => endNow(`${STOP_MS_MAX / 1_000} s were not enough to end`), STOP_MS_MAX);
    stop().catch(fail);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, onSignal);
}

function endNow(why: string): never {
  process.stderr.write(`millrace ends at once: ${why}; what was acknowledged is safe, and the next start recovers it\n`);
  process.exit(1);
}
