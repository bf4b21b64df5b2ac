// The conversation: messages, the answer that is being written, and what it is written with.

import {events, request} from './api.js';
import {byId, copy, h, icon, iconButton, showSliders, toast} from './dom.js';
import * as chats from './chats.js';
import {render} from './markdown.js';
import {contextOf, loadModels, model} from './models.js';

const DEFAULTS = {system: '', temperature: '0.8', top_p: '0.95', max_tokens: '', seed: ''};
const messages = byId('messages');
const prompt = byId('prompt');
const form = byId('parameters-form');
const showParameters = showSliders(form);
let chat = chats.fresh({...DEFAULTS});
let running = null;

export function start() {
  byId('composer').addEventListener('submit', event => { event.preventDefault(); send(); });
  prompt.addEventListener('input', fitPrompt);
  prompt.addEventListener('keydown', event => {
    // While an input method composes a character, Enter is its own.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    }
  });
  byId('stop').addEventListener('click', stop);
  byId('new-chat').addEventListener('click', () => choose(chats.fresh({...chat.parameters})));
  byId('chat-model').addEventListener('models', showContext);
  byId('chat-model').addEventListener('change', showContext);
  form.addEventListener('input', keepParameters);
  form.addEventListener('submit', event => event.preventDefault());
  form.addEventListener('reset', event => {
    event.preventDefault();
    chat.parameters = {...DEFAULTS};
    fillParameters();
    keepParameters();
  });
  window.addEventListener('storage', event => { if (event.key?.startsWith('gatun.chat.')) showList(); });
  open(chats.all()[0] ?? chat);
}

/// Ends the answer that is being written; false if there is none.
export function stop() {
  running?.abort();
  return Boolean(running);
}

function choose(other) {
  location.hash = 'chat';
  open(other);
}

function open(other) {
  stop();
  chat = other;
  chat.parameters = {...DEFAULTS, ...chat.parameters};
  fillParameters();
  showMessages();
  showList();
  messages.scrollTop = messages.scrollHeight;
  document.body.dispatchEvent(new Event('opened'));
  if (matchMedia('(min-width: 761px)').matches) prompt.focus();
}

function fillParameters() {
  for (const [name, value] of Object.entries(chat.parameters)) form.elements[name].value = value;
  showParameters();
}

function keepParameters() {
  chat.parameters = Object.fromEntries(new FormData(form));
  if (chat.messages.length) keep();
}

function keep() {
  chat.changed = Date.now();
  if (!chats.save(chat)) toast('The browser has no room left for this chat: delete old ones to keep it.');
}

function showList() {
  byId('chats').replaceChildren(...chats.all().map(other => {
    const current = other.id === chat.id;
    return h('li', {class: current ? 'current' : null},
      h('button', {type: 'button', 'aria-current': current ? 'true' : null, onclick: () => choose(other)},
        h('span', {}, chats.title(other))),
      iconButton('delete', 'Delete ' + chats.title(other), () => removeChat(other)));
  }));
}

function removeChat(other) {
  chats.remove(other);
  if (other.id === chat.id) open(chats.all()[0] ?? chats.fresh({...DEFAULTS}));
  else showList();
  byId('new-chat').focus();
}

function showMessages() {
  messages.replaceChildren(...chat.messages.map(showMessage));
  if (!chat.messages.length) {
    messages.append(h('div', {class: 'welcome'}, h('img', {src: 'icon.svg', alt: ''}),
      h('h1', {}, 'What shall we talk about?'),
      h('p', {}, 'The model runs on the server that you have this page from. Nothing goes anywhere else, and chats are kept in this browser.')));
  }
  showContext();
}

function showMessage(message) {
  return message.role === 'user' ? showQuestion(message) : showAnswer(message).element;
}

function showQuestion(message) {
  const element = h('article', {class: 'message user', 'aria-label': 'You'}, h('div', {class: 'text'}, message.content),
    h('div', {class: 'actions'},
      iconButton('copy', 'Copy', () => copy(message.content)),
      iconButton('edit', 'Edit and ask again', () => edit(message, element))));
  return element;
}

function edit(message, element) {
  const area = h('textarea', {rows: Math.min(12, message.content.split('\n').length + 1), 'aria-label': 'Message'});
  area.value = message.content;
  const cancel = () => element.replaceWith(showQuestion(message));
  const submit = () => {
    const text = area.value.trim();
    if (!text) return;
    stop();
    chat.messages.splice(chat.messages.indexOf(message));
    ask(text);
  };
  area.addEventListener('keydown', event => {
    if (event.key === 'Escape') { event.stopPropagation(); cancel(); }
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
  });
  element.replaceChildren(h('form', {onsubmit: event => { event.preventDefault(); submit(); }}, area,
    h('div', {class: 'row end'}, h('button', {type: 'button', class: 'quiet', onclick: cancel}, 'Cancel'),
      h('button', {type: 'submit', class: 'primary'}, 'Send'))));
  area.focus();
}

/// An answer's element, and what draws it again when it has grown.
function showAnswer(message) {
  const thought = h('div', {class: 'markdown'});
  const summary = h('summary', {});
  const thinking = h('details', {class: 'thinking', hidden: true}, summary, thought);
  const text = h('div', {class: 'markdown'});
  const waiting = h('div', {class: 'waiting', 'aria-label': 'Waiting for the answer', role: 'img'}, h('i'), h('i'), h('i'));
  const error = h('p', {class: 'error', role: 'alert', hidden: true});
  const stats = h('span');
  const actions = h('div', {class: 'actions'},
    iconButton('copy', 'Copy', () => copy(message.content)),
    iconButton('again', 'Answer again', () => again(message)), stats);
  const element = h('article', {class: 'message', 'aria-label': 'Answer'}, thinking, text, waiting, error, actions);
  const draw = (writing = false) => {
    thinking.hidden = !message.thinking;
    if (message.thinking) {
      summary.textContent = writing && !message.content ? 'Thinking …' : 'Thoughts';
      render(thought, message.thinking);
    }
    render(text, message.content || (writing || message.stopped || message.error ? '' : '*The model said nothing.*'));
    waiting.hidden = !writing || Boolean(message.content || message.thinking);
    actions.hidden = writing;
    error.hidden = !message.error;
    error.textContent = message.error ?? '';
    stats.textContent = writing ? '' : describe(message);
    element.setAttribute('aria-busy', String(writing));
  };
  draw();
  return {element, draw};
}

function describe({model: name, tokens, rate, cached, stopped, cut}) {
  const parts = [name];
  if (tokens) parts.push(`${tokens} token${tokens === 1 ? '' : 's'}`);
  if (rate) parts.push(`${rate.toFixed(rate < 10 ? 1 : 0)} tok/s`);
  if (cached) parts.push(`${cached} read from the cache`);
  if (stopped) parts.push('stopped');
  if (cut) parts.push('cut at the limit of tokens');
  return parts.filter(Boolean).join(' · ');
}

function fitPrompt() {
  prompt.style.height = 'auto';
  prompt.style.height = prompt.scrollHeight + 'px';
}

function send() {
  const text = prompt.value.trim();
  if (!text || running) return;
  prompt.value = '';
  fitPrompt();
  ask(text);
}

function ask(text) {
  if (!model('chat')) return toast('The server has no language model to talk to.');
  chat.messages.push({role: 'user', content: text});
  showMessages();
  keep();
  showList();
  answer();
}

function again(message) {
  stop();
  chat.messages.splice(chat.messages.indexOf(message));
  showMessages();
  answer();
}

async function answer() {
  const own = new AbortController();
  running = own;
  const asked = chat;
  const chosen = model('chat');
  const message = {role: 'assistant', content: '', model: chosen.id};
  const body = requestBody(chosen);
  asked.messages.push(message);
  const {element, draw} = showAnswer(message);
  messages.append(element);
  draw(true);
  busy(true);
  messages.scrollTop = messages.scrollHeight;
  let frame = 0;
  const redraw = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 60;
      draw(running === own);
      if (atEnd) messages.scrollTop = messages.scrollHeight;
    });
  };
  let first = 0;
  let pieces = 0;
  try {
    const response = await request('v1/chat/completions', {body, signal: own.signal});
    for await (const {data} of events(response)) {
      const choice = data.choices?.[0];
      const delta = choice?.delta ?? {};
      if (delta.content || delta.reasoning_content) {
        message.content += delta.content ?? '';
        if (delta.reasoning_content) message.thinking = (message.thinking ?? '') + delta.reasoning_content;
        first ||= performance.now();
        pieces++;
        message.rate = pieces > 1 ? (pieces - 1) / (performance.now() - first) * 1000 : null;
        redraw();
      }
      if (choice?.finish_reason === 'length') message.cut = true;
      if (data.usage) {
        message.tokens = data.usage.completion_tokens;
        message.used = data.usage.total_tokens ?? data.usage.prompt_tokens + data.usage.completion_tokens;
        message.cached = data.usage.prompt_tokens_details?.cached_tokens;
      }
      if (data.timings?.predicted_per_second) message.rate = data.timings.predicted_per_second;
    }
  } catch (error) {
    if (error.name === 'AbortError') message.stopped = true;
    else message.error = error.message;
  }
  cancelAnimationFrame(frame);
  draw();
  // Only once a model is loaded does the server say how long its context is.
  if (contextOf(chosen) == null) await loadModels().catch(() => {});
  if (asked === chat) showContext();
  if (running === own) {
    running = null;
    busy(false);
  }
  if (chats.all().some(other => other.id === asked.id)) {
    asked.changed = Date.now();
    chats.save(asked);
  }
  if (messages.contains(element)) messages.scrollTop = messages.scrollHeight;
}

function requestBody(chosen) {
  const {system, temperature, top_p, max_tokens, seed} = chat.parameters;
  const said = chat.messages.filter(m => m.content).map(({role, content}) => ({role, content}));
  if (system.trim()) said.unshift({role: 'system', content: system});
  const body = {model: chosen.id, messages: said, stream: true, stream_options: {include_usage: true},
    temperature: Number(temperature), top_p: Number(top_p)};
  if (max_tokens) body.max_tokens = Number(max_tokens);
  if (seed) body.seed = Number(seed);
  return body;
}

function busy(on) {
  byId('send').hidden = on;
  byId('stop').hidden = !on;
}

function showContext() {
  const used = chat.messages.findLast(m => m.used)?.used;
  const most = contextOf(model('chat'));
  byId('context').hidden = !used;
  if (!used) return;
  byId('context-text').textContent = most
    ? `${used.toLocaleString('en')} of ${most.toLocaleString('en')} tokens`
    : `${used.toLocaleString('en')} tokens`;
  const meter = byId('context-meter');
  meter.hidden = !most;
  meter.max = most ?? 1;
  meter.high = 0.85 * (most ?? 1);
  meter.value = used;
}
