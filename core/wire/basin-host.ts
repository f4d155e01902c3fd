// Basins with a host name of their own: `<basin>.<suffix>`, for the suffixes that a deployment is reached by. (S2 v1 API, section 1.2.)
//
// The name only says which basin a request for streams means. Requests for the account (basins, tokens, locations, metrics)
// are answered the same on every host.

/** Undefined: the host is not that of a basin. The label is as good as a header: it may still be no name of a basin. */
export type BasinOfHost = (host: string | undefined) => string | undefined;

/** @param suffixes host names in lower case, without a port. */
export function basinHosts(suffixes: readonly string[]): BasinOfHost {
  // A suffix may lie below another one; then the longer one is meant.
  const endings = suffixes.map((suffix) => `.${suffix}`).sort((a, b) => b.length - a.length);
  if (endings.length === 0) return () => undefined;
  return (host) => {
    const name = hostName(host ?? '');
    const ending = endings.find((candidate) => name.length > candidate.length && name.endsWith(candidate));
    return ending === undefined ? undefined : name.slice(0, -ending.length);
  };
}

/** Without port and the dot of a root; names are compared in lower case. */
function hostName(host: string): string {
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
}
