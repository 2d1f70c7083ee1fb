import 'uplot/dist/uPlot.min.css';
import './style.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { start } from './i18n/index.ts';

await start();
render(<App />, document.getElementById('app')!);
