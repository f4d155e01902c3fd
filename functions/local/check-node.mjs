// Decides whether this Node can run the sources as they are (type stripping without a flag or a warning).
//
// Runs before `npm start` and `npm test`, so it is plain JavaScript that an old Node can parse.

var MAJOR_MIN = 24;
var MINOR_MIN = 12;

var parts = process.versions.node.split('.').map(Number);
var isNewEnough = parts[0] > MAJOR_MIN || (parts[0] === MAJOR_MIN && parts[1] >= MINOR_MIN);

if (!isNewEnough) {
  process.stderr.write(
    'Millrace needs Node ' +
      MAJOR_MIN +
      '.' +
      MINOR_MIN +
      ' or newer, and this is Node ' +
      process.versions.node +
      '.\n' +
      'On Linux (x64) `npm ci` brings a Node 24 that every npm script uses: run it without --omit=optional.\n' +
      'Elsewhere, install Node 24 and put it first on PATH.\n',
  );
  process.exit(1);
}
