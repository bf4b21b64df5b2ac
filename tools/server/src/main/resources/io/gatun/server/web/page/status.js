// What the server does now, from its metrics (in the text format of Prometheus) and its list of models.

import {json, request} from './api.js';
import {byId, h, megabytes, showError} from './dom.js';
import {kindOf, contextOf, loadModels} from './models.js';

const SECONDS = 2;
const KINDS = {chat: 'Chat', embeddings: 'Embeddings', rerank: 'Reranking', images: 'Images', segmentation: 'Segmentation'};
let timer = 0;
let last = null;
const rates = [];

/// Reads the server's state every two seconds for as long as the view is shown.
export function watch(on) {
  clearInterval(timer);
  timer = 0;
  last = null;
  if (!on) return;
  timer = setInterval(update, SECONDS * 1000);
  update();
}

async function update() {
  try {
    const health = await json('health');
    const metrics = parse(await (await request('metrics')).text());
    const models = await loadModels();
    showHealth(health.status === 'ok' ? 'Ready' : health.status, health.status === 'ok');
    showCards(metrics);
    showModels(models);
    showError(byId('status-error'), null);
  } catch (error) {
    showHealth('Not reached', false);
    showError(byId('status-error'), error.message);
  }
}

/// Sums over labels by name; the buckets of histograms as [upper bound, count].
export function parse(text) {
  const sums = {};
  const buckets = {};
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(\{.*\})?\s+(\S+)/.exec(line);
    if (!match) continue;
    const [, name, labels, value] = match;
    if (name.endsWith('_bucket')) {
      const bound = Number(/le="([^"]*)"/.exec(labels)?.[1].replace('+Inf', 'Infinity'));
      const own = buckets[name.slice(0, -7)] ??= new Map();
      own.set(bound, (own.get(bound) ?? 0) + Number(value));
    } else {
      sums[name] = (sums[name] ?? 0) + Number(value);
    }
  }
  return {sums, buckets};
}

/// The bound below which a share of a histogram's values lie, interpolated as Prometheus does.
export function quantile(histogram, share) {
  if (!histogram) return null;
  const entries = [...histogram].sort((a, b) => a[0] - b[0]);
  const total = entries.at(-1)?.[1] ?? 0;
  if (!total) return null;
  let [lower, below] = [0, 0];
  for (const [bound, count] of entries) {
    if (count >= share * total) {
      if (bound === Infinity) return lower;
      return lower + (bound - lower) * (share * total - below) / Math.max(1, count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

function showHealth(text, good) {
  byId('health').textContent = text;
  byId('health').className = 'state ' + (good ? 'good' : 'bad');
}

function rateOf(generated) {
  const now = performance.now();
  const rate = last && generated >= last.generated ? (generated - last.generated) / (now - last.now) * 1000 : null;
  last = {generated, now};
  if (rate != null) rates.push(rate);
  if (rates.length > 120 / SECONDS) rates.shift();
  return rate;
}

function showCards({sums, buckets}) {
  const seconds = s => s == null ? '–' : s < 1 ? Math.round(s * 1000) + ' ms' : s.toFixed(1) + ' s';
  const count = n => (n ?? 0).toLocaleString('en');
  const rate = rateOf(sums.gatun_answer_tokens_total ?? 0);
  const first = buckets.gatun_time_to_first_token_seconds;
  const gap = buckets.gatun_inter_token_seconds;
  const prompt = sums.gatun_prompt_tokens_total ?? 0;
  const cached = sums.gatun_cached_tokens_total ?? 0;
  const cards = [
    ['Running', count(sums.gatun_answers_running), 'answers'],
    ['Waiting', count(sums.gatun_answers_waiting), 'in the queue'],
    ['Speed', rate == null ? '–' : rate.toFixed(rate < 10 ? 1 : 0), 'tokens a second'],
    ['Written', count(sums.gatun_answer_tokens_total), 'tokens'],
    ['Read', count(prompt), `tokens, ${prompt ? Math.round(100 * cached / prompt) : 0} % from the cache`],
    ['First token', seconds(quantile(first, 0.5)), 'P99 ' + seconds(quantile(first, 0.99))],
    ['Between tokens', seconds(quantile(gap, 0.5)), 'P99 ' + seconds(quantile(gap, 0.99))],
    ['Models', megabytes(sums.gatun_model_bytes ?? 0), 'mapped from files'],
    ['Cache', megabytes(sums.gatun_cache_bytes ?? 0), 'keys and values'],
    ['Heap', megabytes(sums.gatun_heap_bytes ?? 0), 'of Java'],
  ];
  byId('cards').replaceChildren(...cards.map(([name, value, more]) =>
    h('div', {}, h('dt', {}, name), h('dd', {}, value), h('dd', {}, more))));
  showChart();
}

function showChart() {
  const most = Math.max(1, ...rates);
  const step = 240 / (120 / SECONDS - 1);
  const begin = 240 - step * (rates.length - 1);
  const points = rates.map((r, i) => `${(begin + i * step).toFixed(1)} ${(58 - 54 * r / most).toFixed(1)}`);
  const line = points.length > 1 ? 'M' + points.join('L') : 'M0 58';
  byId('chart').querySelector('.line').setAttribute('d', line);
  byId('chart').querySelector('.area').setAttribute('d', points.length > 1 ? `${line}L240 60L${begin.toFixed(1)} 60Z` : 'M0 60');
  byId('chart').setAttribute('aria-label', `Tokens a second: ${rates.at(-1)?.toFixed(1) ?? 0} now, ${Math.max(0, ...rates).toFixed(1)} at most`);
}

function showModels(models) {
  byId('models').replaceChildren(...models.map(m => h('tr', {},
    h('td', {}, m.id), h('td', {}, KINDS[kindOf(m)] ?? kindOf(m)),
    h('td', {}, m.loaded ? 'Loaded' : 'On demand'),
    h('td', {}, contextOf(m)?.toLocaleString('en') ?? '–'),
    h('td', {}, m.bytes ? megabytes(m.bytes) : '–'))));
}
