// Decides which Node can run the sources as they are (type stripping without a flag or a warning), and says what to do without one.
//
// Read by old versions of Node, too: plain JavaScript that they can parse.

var MAJOR_MIN = 24;
var MINOR_MIN = 12;

/** @param {string} version such as `24.12.0` or `v24.12.0` */
export function isNewEnough(version) {
  var parts = version.trim().replace(/^v/, '').split('.').map(Number);
  return parts[0] > MAJOR_MIN || (parts[0] === MAJOR_MIN && parts[1] >= MINOR_MIN);
}

/** @param {string} version of the Node that is too old */
export function adviceFor(version) {
  return (
    'Millrace needs Node ' +
    MAJOR_MIN +
    '.' +
    MINOR_MIN +
    ' or newer, and this is Node ' +
    version +
    '.\n' +
    'On Linux (x64) `npm ci` brings a Node 24 that every npm script uses: run it without --omit=optional.\n' +
    'Elsewhere, install Node 24 and put it first on PATH.\n'
  );
}
