// The code of realtime and of reports is loaded when it is first needed. Under fake timers that takes no time if it is there already.
import './packages/turnout-client/src/report.ts';
import './packages/turnout-client/src/runner.ts';
