import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { parseLink } from './link.ts';
import { keepOffline } from './offline.ts';
import { Session } from './session.ts';
import { openTheme } from './theme.ts';
import 'uplot/dist/uPlot.min.css';
import './style.css';

openTheme();
const asked = new URLSearchParams(location.search).get('model');
const url = new URL(asked ?? 'models/papo-nano/', document.baseURI).href;
const session = new Session({ kind: asked === null ? 'built-in' : 'site', url }, parseLink(location));
void session.open().then(keepOffline);
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App session={session} />
  </StrictMode>,
);
