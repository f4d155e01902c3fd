// Closes a run with the plain line `N passed, N failed`, from vitest's JSON reports and the number of failed checks before them.
// What was skipped stands on a line before, so that whoever reads the last one finds it as it always was.
import { readFileSync } from 'node:fs';

const [failedBefore, ...paths] = process.argv.slice(2);
let passed = 0;
let skipped = 0;
let failed = Number(failedBefore);
if (paths.length === 0) failed += 1;
for (const path of paths) {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8'));
    passed += report.numPassedTests ?? 0;
    skipped += (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0);
    // A file that cannot be loaded fails no test, yet it is a failure; so is a run that found no test at all.
    const brokenFiles = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
    const failedHere = report.numFailedTests + brokenFiles + (report.numPassedTests === 0 ? 1 : 0);
    failed += !report.success && failedHere === 0 ? 1 : failedHere;
  } catch {
    failed += 1; // The tests never got as far as a report.
  }
}
if (skipped > 0) process.stdout.write(`${skipped} skipped\n`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
