// Markdown as elements. Text of a model is hostile: it is never made into HTML, only into text nodes and the
// elements below, so there is nothing to sanitize. HTML in it is shown as it was written.

import {lexer} from './lib/marked.js';
import {h, icon, copy} from './dom.js';

const BLOCKS = {
  space: () => null,
  def: () => null,
  hr: () => h('hr'),
  code: t => codeBlock(t.text, t.lang),
  heading: t => h('h' + Math.min(6, t.depth + 1), {}, inline(t.tokens)),
  paragraph: t => h('p', {}, inline(t.tokens)),
  text: t => h('span', {}, inline(t.tokens ?? [t])),
  html: t => h('p', {}, t.text),
  plain: t => h('p', {class: 'plain'}, t.text),
  blockquote: t => h('blockquote', {}, blocks(t.tokens)),
  list: t => h(t.ordered ? 'ol' : 'ul', {start: t.ordered && t.start !== 1 ? t.start : null},
    t.items.map(item => h('li', {class: item.task ? 'task' : null}, blocks(item.tokens)))),
  table: t => h('div', {class: 'scroll'}, h('table', {},
    h('thead', {}, h('tr', {}, t.header.map(cell => h('th', {scope: 'col'}, inline(cell.tokens))))),
    h('tbody', {}, t.rows.map(row => h('tr', {}, row.map(cell => h('td', {}, inline(cell.tokens)))))))),
};

const SPANS = {
  text: t => t.tokens ? inline(t.tokens) : decode(t.text),
  escape: t => t.text,
  html: t => /^<br\s*\/?>$/i.test(t.text) ? h('br') : t.text,
  br: () => h('br'),
  strong: t => h('strong', {}, inline(t.tokens)),
  em: t => h('em', {}, inline(t.tokens)),
  del: t => h('del', {}, inline(t.tokens)),
  codespan: t => h('code', {}, t.text),
  checkbox: t => t.checked ? '☑ ' : '☐ ',
  link: t => link(t.href, inline(t.tokens)),
  // The page loads nothing from elsewhere; who wants the image follows the link.
  image: t => link(t.href, t.text || 'image'),
};

const blocks = tokens => tokens.map(t => BLOCKS[t.type] ? BLOCKS[t.type](t) : inline([t])).flat();
const inline = tokens => tokens.map(t => SPANS[t.type]?.(t) ?? t.raw).flat();

function link(href, content) {
  return /^(https?:|mailto:)/i.test(href)
    ? h('a', {href, target: '_blank', rel: 'noopener noreferrer'}, content)
    : h('span', {}, content);
}

const ENTITIES = {amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0'};
const decode = text => text.replace(/&(amp|lt|gt|quot|apos|nbsp|#\d{1,6});/g, (whole, name) =>
  ENTITIES[name] ?? String.fromCodePoint(Math.min(Number(name.slice(1)), 0x10ffff)));

function codeBlock(text, language) {
  return h('div', {class: 'code'},
    h('header', {}, h('span', {}, (language || 'text').split(/\s/)[0]),
      h('button', {type: 'button', onclick: () => copy(text)}, icon('copy'), 'Copy')),
    h('pre', {tabindex: '0', 'aria-label': 'Code'}, h('code', {}, text)));
}

/// After so many milliseconds of reading, what comes next of a text is shown as it was written: some texts take
/// the square of their length.
const PATIENCE = 2000;

function read(container, text) {
  const began = performance.now();
  const tokens = lexer(text).filter(t => t.type !== 'space' && t.type !== 'def');
  if (performance.now() - began > PATIENCE) container.plain = true;
  return tokens;
}

/// Shows a text that may have grown since the last call: only blocks that have changed are made anew, so that
/// what a reader has selected or scrolled stays. What is nested too deeply to be read is shown as it was written.
export function render(container, text) {
  const plain = [{type: 'plain', raw: text, text}];
  try {
    show(container, container.plain ? plain : read(container, text));
  } catch (e) {
    if (!(e instanceof RangeError)) throw e;
    container.plain = true;
    show(container, plain);
  }
}

function show(container, tokens) {
  const shown = container.shown ?? [];
  let same = 0;
  while (same < tokens.length && same < shown.length && tokens[same].raw === shown[same]) same++;
  while (container.childNodes.length > same) container.lastChild.remove();
  for (const token of tokens.slice(same)) container.append(h('div', {}, blocks([token])));
  container.shown = tokens.map(t => t.raw);
}
