// Closes a run with the plain line `N passed, N failed`, from vitest's JSON report and the number of failed checks before it.
// What was skipped stands on a line before, so that whoever reads the last one finds it as it always was.
import { readFileSync } from 'node:fs';

const [path, failedBefore] = process.argv.slice(2);
let passed = 0;
let skipped = 0;
let failed = Number(failedBefore);
try {
  const report = JSON.parse(readFileSync(path, 'utf8'));
  passed = report.numPassedTests;
  skipped = report.numPendingTests + (report.numTodoTests ?? 0);
  // A file that cannot be loaded fails no test, yet it is a failure; so is a run that found no test at all.
  const brokenFiles = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
  failed += report.numFailedTests + brokenFiles + (passed === 0 ? 1 : 0);
  if (!report.success && failed === 0) failed = 1;
} catch {
  failed += 1; // The tests never got as far as a report.
}
if (skipped > 0) process.stdout.write(`${skipped} skipped\n`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
