// Builds what a change to src/, packages/ or web/ concerns, and restarts the service: `npm run dev`.
import { spawn } from 'node:child_process';
import ts from 'typescript';
import { build } from 'vite';

/** Milliseconds: one change may reach both compilers. */
const SETTLE = 200;

const built = new Set();
let service = null;
let stopping = false;
let timer;

/** @param part A compiler that has no error; the service starts with the second. */
function restartAfter(part) {
  built.add(part);
  if (built.size < 2) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (service === null) start();
    else service.kill('SIGTERM');
  }, SETTLE);
}

function start() {
  service = spawn(process.execPath, ['--enable-source-maps', 'dist/src/main.js'], {
    stdio: 'inherit',
    env: { DRAIN_SECONDS: '0', ...process.env },
  });
  service.once('exit', (code, signal) => {
    service = null;
    if (stopping) process.exit();
    // It was stopped for a change; one that failed waits for the next change.
    if (code === 0 || signal === 'SIGTERM') start();
  });
}

function stop() {
  stopping = true;
  clearTimeout(timer);
  if (service === null) process.exit();
  service.kill('SIGTERM');
}
process.once('SIGINT', stop);
process.once('SIGTERM', stop);

const pages = await build({ logLevel: 'warn', build: { watch: {} } });
pages.on('event', ({ code }) => {
  if (code === 'END') restartAfter('pages');
});

const report = (diagnostic) => {
  console.error(ts.formatDiagnosticsWithColorAndContext([diagnostic], ts.createCompilerHost({})));
};
ts.createWatchProgram(
  ts.createWatchCompilerHost(
    'tsconfig.build.json',
    {},
    ts.sys,
    ts.createEmitAndSemanticDiagnosticsBuilderProgram,
    report,
    (diagnostic, _newLine, _options, errors) => {
      console.error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
      if (errors === 0) restartAfter('code');
    },
  ),
);
