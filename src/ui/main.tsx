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
const model = new URLSearchParams(location.search).get('model') ?? 'models/papo-nano/';
const session = new Session(new URL(model, document.baseURI).href, parseLink(location));
void session.open().then(keepOffline);
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App session={session} />
  </StrictMode>,
);
