// The frame: which view is shown, the theme, the key.

import * as api from './api.js';
import * as chat from './chat.js';
import {byId, toast} from './dom.js';
import * as documents from './documents.js';
import * as images from './images.js';
import {loadModels} from './models.js';
import * as segment from './segment.js';
import * as status from './status.js';

const VIEWS = {chat: 'Chat', images: 'Images', segment: 'Segment', documents: 'Documents', status: 'Status'};

function showView() {
  const name = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : 'chat';
  for (const view of Object.keys(VIEWS)) byId('view-' + view).hidden = view !== name;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.view === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = name === 'chat' ? 'Gatun' : VIEWS[name] + ' · Gatun';
  status.watch(name === 'status');
  documents.show(name === 'documents');
}

/// On a phone the list of chats lies over the page.
function openSide(open) {
  byId('side').classList.toggle('open', open);
  byId('veil').hidden = !open;
  byId('open-side').setAttribute('aria-expanded', String(open));
  if (open) byId('new-chat').focus();
}

function openParameters(open) {
  byId('parameters').hidden = !open;
  byId('parameters-button').setAttribute('aria-expanded', String(open));
  (open ? byId('parameters-form').elements.system : byId('parameters-button')).focus();
}

function nextTheme() {
  const order = ['system', 'light', 'dark'];
  const next = order[(order.indexOf(localStorage.getItem('gatun.theme') ?? 'system') + 1) % order.length];
  localStorage.setItem('gatun.theme', next);
  if (next === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  showTheme();
}

function showTheme() {
  byId('theme-button').lastElementChild.textContent = 'Theme: ' + (localStorage.getItem('gatun.theme') ?? 'system');
}

function askForKey() {
  const dialog = byId('key-dialog');
  if (dialog.open) return;
  byId('key').value = api.key();
  dialog.returnValue = '';
  dialog.showModal();
}

async function refresh() {
  try {
    await loadModels();
  } catch (error) {
    if (error.status !== 401) toast(error.message);
  }
}

api.onUnauthorized(askForKey);
byId('key-button').addEventListener('click', askForKey);
byId('key').addEventListener('keydown', event => {
  if (event.key === 'Enter') {
    event.preventDefault();
    byId('key-dialog').close('save');
  }
});
byId('key-dialog').addEventListener('close', () => {
  if (byId('key-dialog').returnValue !== 'save') return;
  api.setKey(byId('key').value.trim());
  refresh();
});
byId('theme-button').addEventListener('click', nextTheme);
byId('open-side').addEventListener('click', () => openSide(true));
byId('veil').addEventListener('click', () => openSide(false));
document.body.addEventListener('opened', () => openSide(false));
byId('parameters-button').addEventListener('click', () => openParameters(byId('parameters').hidden));
byId('parameters-close').addEventListener('click', () => openParameters(false));
document.addEventListener('keydown', event => {
  if (event.key !== 'Escape' || byId('key-dialog').open) return;
  if (byId('side').classList.contains('open')) openSide(false);
  else if (!chat.stop() && !byId('parameters').hidden) openParameters(false);
});
window.addEventListener('hashchange', () => {
  showView();
  byId('main').focus();
});

showTheme();
showView();
chat.start();
images.start();
segment.start();
documents.start();
refresh();
