// The code of realtime is loaded when it is first needed. Under fake timers that takes no time if it is there already.
import './packages/turnout-client/src/runner.ts';
