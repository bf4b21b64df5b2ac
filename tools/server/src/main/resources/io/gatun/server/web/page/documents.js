// The documents of the index: passages that fit a question, and an answer from them with its sources.

import {events, json, request} from './api.js';
import {byId, h, showError, toast} from './dom.js';
import {render} from './markdown.js';
import {all, kindOf, model} from './models.js';

const form = byId('documents-form');
const reply = byId('documents-reply');
const stats = byId('documents-stats');
let running = null;
let last = '';

export function start() {
  form.addEventListener('submit', event => { event.preventDefault(); run(answer); });
  byId('documents-search').addEventListener('click', () => { if (form.reportValidity()) run(search); });
  byId('documents-stop').addEventListener('click', () => running?.abort());
  byId('documents-more').addEventListener('click', () => list().catch(fail));
  byId('chat-model').addEventListener('models', () => {
    byId('documents-rerank').hidden = !all().some(m => kindOf(m) === 'rerank');
  });
}

/// Reads the list anew when the view comes up: another process may have added to it.
export function show(shown) {
  if (!shown) return;
  last = '';
  byId('documents').replaceChildren();
  list().catch(fail);
}

const fail = error => showError(byId('documents-error'), error.message);

async function list() {
  const found = await json('v1/documents' + (last ? '?after=' + encodeURIComponent(last) : ''));
  const count = (n, what) => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
  byId('documents-count').textContent = count(found.documents, 'document') + ', ' + count(found.passages, 'passage');
  form.elements.mode.disabled = !found.model; // without vectors there are only words
  for (const one of found.data) {
    byId('documents').append(h('tr', {}, h('td', {}, one.source), h('td', {}, one.passages.toLocaleString('en'))));
    last = one.source;
  }
  byId('documents-more').hidden = !found.has_more;
}

/// How to search, as the server takes it.
function wanted() {
  const how = {top_n: Number(form.elements.top_n.value)};
  const {mode, rerank} = form.elements;
  if (mode.value && !mode.disabled) how.mode = mode.value;
  if (rerank.checked && !byId('documents-rerank').hidden) how.rerank = true;
  return how;
}

async function run(action) {
  running?.abort();
  const own = new AbortController();
  running = own;
  showError(byId('documents-error'));
  render(reply, '');
  stats.textContent = '';
  byId('sources').replaceChildren();
  byId('documents-stop').hidden = false;
  try {
    await action(form.elements.query.value, own.signal);
  } catch (error) {
    if (error.name !== 'AbortError') fail(error);
    else if (running === own) stats.textContent = 'stopped';
  }
  if (running === own) {
    running = null;
    byId('documents-stop').hidden = true;
  }
}

async function search(query, signal) {
  const began = performance.now();
  const found = await json('v1/search', {body: {query, ...wanted()}, signal});
  showSources(found.results);
  stats.textContent = `${(performance.now() - began).toFixed(0)} ms`;
}

async function answer(query, signal) {
  const chosen = model('chat');
  if (!chosen) return toast('The server has no language model to answer with.');
  stats.textContent = `${chosen.id} reads what was found …`;
  const body = {model: chosen.id, messages: [{role: 'user', content: query}], search: wanted(), stream: true,
    max_tokens: 512};
  let text = '';
  let rate = 0;
  for await (const {data} of events(await request('v1/chat/completions', {body, signal}))) {
    if (data.sources) showSources(data.sources);
    text += data.choices?.[0]?.delta?.content ?? '';
    rate = data.timings?.predicted_per_second ?? rate;
    render(reply, text);
  }
  stats.textContent = chosen.id + (rate ? ` · ${rate.toFixed(rate < 10 ? 1 : 0)} tok/s` : '');
}

function showSources(found) {
  byId('sources').replaceChildren(...found.map(one =>
    h('li', {}, h('strong', {}, one.place), h('p', {class: 'plain'}, one.text))));
  if (!found.length) byId('sources').append(h('li', {class: 'empty'}, 'Nothing was found.'));
}
