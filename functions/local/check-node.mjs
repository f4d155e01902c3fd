// Ends `npm start` and `npm test` with a clear line where this Node is too old for the sources.
//
// Plain JavaScript that an old Node can parse.

import { adviceFor, isNewEnough } from './node-version.mjs';

if (!isNewEnough(process.versions.node)) {
  process.stderr.write(adviceFor(process.versions.node));
  process.exit(1);
}
