// Images from a text, from an image, or in a painted part of one.

import {events, request} from './api.js';
import {byId, download, h, icon, receiveImages, showError, showSliders, toast} from './dom.js';
import {model} from './models.js';

const form = byId('image-form');
const canvas = byId('source-canvas');
let source = null; // {image, mask}: a bitmap, and a canvas of its size that is opaque where something was painted
let running = null;

export function start() {
  showSliders(form);
  form.addEventListener('submit', event => { event.preventDefault(); paint(); });
  byId('paint-stop').addEventListener('click', () => running?.abort());
  form.elements.prompt.addEventListener('keydown', event => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  byId('view-images').addEventListener('keydown', event => { if (event.key === 'Escape') running?.abort(); });
  byId('image-model').addEventListener('models', showDefaults);
  byId('image-model').addEventListener('change', showDefaults);
  receiveImages(byId('source-drop'), byId('source-file'), byId('view-images'), setSource);
  byId('source-remove').addEventListener('click', () => setSource(null));
  byId('mask-clear').addEventListener('click', () => {
    source.mask.getContext('2d').clearRect(0, 0, source.mask.width, source.mask.height);
    draw();
  });
  startBrush();
}

function showDefaults() {
  const chosen = model('images');
  const side = chosen?.default_size;
  form.elements.width.placeholder = form.elements.height.placeholder = side ?? 'Default';
  const scheduler = form.elements.scheduler;
  const before = scheduler.value;
  scheduler.replaceChildren(h('option', {value: ''}, 'Default'),
    ...(chosen?.schedulers ?? []).map(name => h('option', {value: name}, name)));
  scheduler.value = before;
  if (scheduler.selectedIndex < 0) scheduler.value = '';
  byId('paint').disabled = !chosen;
}

async function setSource(file) {
  byId('source').hidden = !file;
  byId('source-drop').hidden = Boolean(file);
  source = null;
  if (!file) return byId('source-file').focus();
  let image;
  try {
    image = await createImageBitmap(file);
  } catch {
    setSource(null);
    return toast('This image cannot be read.');
  }
  const mask = h('canvas', {width: image.width, height: image.height});
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.style.setProperty('--ratio', image.width / image.height);
  source = {image, mask};
  draw();
}

function draw() {
  const context = canvas.getContext('2d');
  context.globalAlpha = 1;
  context.drawImage(source.image, 0, 0);
  context.globalAlpha = 0.6;
  context.drawImage(source.mask, 0, 0);
}

function startBrush() {
  let before = null;
  const at = event => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale, scale];
  };
  const stroke = event => {
    const [x, y, scale] = at(event);
    const context = source.mask.getContext('2d');
    context.globalCompositeOperation = byId('erase').checked ? 'destination-out' : 'source-over';
    context.strokeStyle = '#ff3ba7';
    context.lineWidth = byId('brush').value * scale / 2;
    context.lineCap = context.lineJoin = 'round';
    context.beginPath();
    context.moveTo(...(before ?? [x, y]));
    context.lineTo(x, y);
    context.stroke();
    before = [x, y];
    draw();
  };
  canvas.addEventListener('pointerdown', event => { canvas.setPointerCapture(event.pointerId); before = null; stroke(event); });
  canvas.addEventListener('pointermove', event => { if (canvas.hasPointerCapture(event.pointerId)) stroke(event); });
}

/// What a form's fields say, by the names of the API; what is empty is left to the server.
function settings() {
  const {prompt, negative_prompt: negative, width, height, steps, guidance, seed, scheduler} =
    Object.fromEntries(new FormData(form));
  const side = form.elements.width.placeholder;
  const fields = {model: model('images').id, prompt};
  if (negative) fields.negative_prompt = negative;
  if (width || height) fields.size = `${width || side}x${height || side}`;
  if (steps) fields.steps = Number(steps);
  if (guidance) fields.guidance_scale = Number(guidance);
  if (seed) fields.seed = Number(seed);
  if (scheduler) fields.scheduler = scheduler;
  return {...fields, stream: true, partial_images: 3};
}

const png = from => new Promise(resolve => from.toBlob(resolve, 'image/png'));

/// The source as the API takes it: the image, and a mask that is transparent where the image is to change.
async function multipart(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries({...fields, strength: form.elements.strength.value})) body.append(name, String(value));
  const image = h('canvas', {width: canvas.width, height: canvas.height});
  image.getContext('2d').drawImage(source.image, 0, 0);
  body.append('image', await png(image), 'image.png');
  const painted = source.mask.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v, i) => i % 4 === 3 && v);
  if (painted) {
    const context = image.getContext('2d');
    context.globalCompositeOperation = 'destination-out';
    context.drawImage(source.mask, 0, 0);
    body.append('mask', await png(image), 'mask.png');
  }
  return body;
}

async function paint() {
  if (running || !model('images')) return;
  running = new AbortController();
  busy(true);
  showError(byId('paint-error'), null);
  const fields = settings();
  const began = performance.now();
  try {
    const response = source
      ? await request('v1/images/edits', {body: await multipart(fields), signal: running.signal})
      : await request('v1/images/generations', {body: fields, signal: running.signal});
    let made = null;
    for await (const {data} of events(response)) {
      if (data.type?.endsWith('.completed')) made = data;
      else showProgress(data);
    }
    if (!made) throw new Error('The server ended without an image.');
    show(made, fields, (performance.now() - began) / 1000);
  } catch (error) {
    if (error.name !== 'AbortError') showError(byId('paint-error'), error.message);
  }
  running = null;
  busy(false);
}

function busy(on) {
  byId('paint').hidden = on;
  byId('paint-stop').hidden = !on;
  const progress = byId('paint-progress');
  progress.hidden = !on;
  progress.querySelector('progress').removeAttribute('value');
  progress.querySelector('img').hidden = true;
  byId('paint-state').textContent = 'Waiting for its turn …';
}

function showProgress({step, steps, b64_json: preview}) {
  if (steps) {
    byId('paint-state').textContent = `Step ${step} of ${steps}`;
    byId('paint-progress').querySelector('progress').value = step / steps;
  }
  if (preview) {
    const image = byId('paint-progress').querySelector('img');
    image.src = 'data:image/png;base64,' + preview;
    image.hidden = false;
  }
}

function show({b64_json: content, seed}, fields, seconds) {
  byId('gallery').querySelector('.empty')?.remove();
  const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
  const file = new Blob([bytes], {type: 'image/png'});
  const image = h('img', {alt: fields.prompt, src: URL.createObjectURL(file)});
  const facts = () => [image.naturalWidth && `${image.naturalWidth} × ${image.naturalHeight}`, fields.steps && `${fields.steps} steps`,
    (seed ?? fields.seed) != null && `seed ${seed ?? fields.seed}`, `${seconds.toFixed(1)} s`].filter(Boolean).join(' · ');
  const small = h('small', {}, facts());
  image.addEventListener('load', () => { small.textContent = facts(); });
  byId('gallery').prepend(h('figure', {}, image, h('figcaption', {}, fields.prompt, h('br'), small),
    h('div', {class: 'row wrap'},
      h('button', {type: 'button', class: 'quiet', onclick: () => download('gatun.png', file)}, icon('download'), 'Save'),
      h('button', {type: 'button', class: 'quiet', onclick: () => setSource(file)}, icon('edit'), 'Change it'))));
}
