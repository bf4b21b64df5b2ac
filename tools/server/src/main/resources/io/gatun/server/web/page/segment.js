// Objects of a photo: at points, in a box, or all of them. The server encodes the photo once and keeps it.

import {json} from './api.js';
import {byId, download, h, receiveImages, showError, toast} from './dom.js';
import {model} from './models.js';

const canvas = byId('photo-canvas');
const COLOURS = ['#14b8a6', '#f59e0b', '#6366f1', '#ec4899', '#84cc16', '#0ea5e9', '#f97316', '#a855f7'];
let photo = null; // {bitmap, file, id}: `id` once the server has encoded it
let prompts = []; // {x, y, label} and {box}, in the photo's pixels, in the order in which they were given
let masks = []; // {score, area, png, layer, colour}
let chosen = 0; // index into masks, -1 for all of them
let cross = null; // where the keyboard's cross is
let drag = null;
let turn = 0; // of the latest question: answers to older ones are dropped

export function start() {
  receiveImages(byId('photo-drop'), byId('photo-file'), byId('view-segment'), setPhoto);
  byId('everything').addEventListener('click', () => ask({everything: true}));
  byId('prompt-undo').addEventListener('click', () => { prompts.pop(); askPrompts(); });
  byId('prompt-clear').addEventListener('click', () => { prompts = []; askPrompts(); });
  byId('photo-remove').addEventListener('click', () => setPhoto(null));
  byId('segment-model').addEventListener('change', () => { if (photo) setPhoto(photo.file); });
  byId('download-mask').addEventListener('click', saveMask);
  byId('download-cutout').addEventListener('click', saveCutout);
  byId('download-json').addEventListener('click', saveJson);
  canvas.addEventListener('pointerdown', pointerDown);
  canvas.addEventListener('pointermove', pointerMove);
  canvas.addEventListener('pointerup', pointerUp);
  canvas.addEventListener('pointercancel', () => { drag = null; draw(); });
  canvas.addEventListener('keydown', keyDown);
  canvas.addEventListener('blur', () => { cross = null; draw(); });
}

async function setPhoto(file) {
  const own = ++turn;
  photo = null;
  prompts = [];
  masks = [];
  byId('photo-stage').hidden = !file;
  byId('photo-drop').hidden = Boolean(file);
  showError(byId('segment-error'), null);
  showMasks();
  if (!file) {
    say('No photo yet.');
    return byId('photo-file').focus();
  }
  try {
    const bitmap = await createImageBitmap(file);
    if (own !== turn) return;
    // Points on a small photo are to be sharp: the canvas has at least about 1,000 pixels.
    const zoom = Math.max(1, Math.round(1000 / Math.max(bitmap.width, bitmap.height)));
    photo = {bitmap, file, id: null, zoom, width: bitmap.width, height: bitmap.height};
    canvas.width = zoom * photo.width;
    canvas.height = zoom * photo.height;
    canvas.style.setProperty('--ratio', photo.width / photo.height);
    draw();
    showMasks();
  } catch {
    setPhoto(null);
    return toast('This image cannot be read.');
  }
  if (!model('segmentation')) return fail(new Error('The server has no model that segments.'));
  say('Looking at the photo …');
  try {
    const id = await upload();
    if (own !== turn) return;
    photo.id = id;
    say('Click on an object, or drag a box around one.');
    showMasks();
    if (prompts.length) askPrompts();
  } catch (error) {
    if (own === turn) fail(error);
  }
}

const base64 = file => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(new Error('This file cannot be read.'));
  reader.readAsDataURL(file);
});

async function upload() {
  const body = {model: model('segmentation').id, image: await base64(photo.file)};
  return (await json('v1/segmentations', {body})).image_id;
}

function askPrompts() {
  if (prompts.length) return ask({});
  turn++;
  masks = [];
  say('Click on an object, or drag a box around one.');
  showMasks();
}

async function ask({everything}) {
  if (!photo) return;
  draw();
  showMasks();
  if (!photo.id) return; // asked once the photo is encoded
  const own = ++turn;
  const body = {model: model('segmentation').id, image_id: photo.id};
  if (everything) {
    prompts = [];
    body.everything = true;
    say('Looking for all objects …');
  } else {
    const points = prompts.filter(p => !p.box);
    if (points.length) body.points = points.map(({x, y, label}) => ({x, y, label}));
    const box = prompts.findLast(p => p.box)?.box;
    if (box) body.box = box;
  }
  showError(byId('segment-error'), null);
  try {
    const found = (await json('v1/segmentations', {body})).masks;
    const made = await Promise.all(found.map(toMask));
    if (own !== turn) return;
    masks = made;
    chosen = everything ? -1 : masks.reduce((best, m, i) => m.score > masks[best].score ? i : best, 0);
    say(made.length ? `${made.length} mask${made.length === 1 ? '' : 's'}.` : 'Nothing found.');
    showMasks();
  } catch (error) {
    if (own !== turn) return;
    if (error.status === 404) return setPhoto(photo.file); // the server has not kept it
    fail(error);
  }
}

/// A mask as the API tells it, with a layer of one colour to lay over the photo.
async function toMask(found, index) {
  const colour = COLOURS[index % COLOURS.length];
  const bytes = Uint8Array.from(atob(found.png), c => c.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
  const layer = h('canvas', {width: bitmap.width, height: bitmap.height});
  const context = layer.getContext('2d');
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, layer.width, layer.height);
  const [r, g, b] = [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16));
  let area = 0;
  for (let i = 0; i < pixels.data.length; i += 4) {
    const inside = pixels.data[i] > 127;
    if (inside) area++;
    pixels.data.set([r, g, b, inside ? 255 : 0], i);
  }
  context.putImageData(pixels, 0, 0);
  return {...found, area, colour, layer};
}

function say(text) {
  byId('segment-state').textContent = text;
}

function fail(error) {
  say('');
  showError(byId('segment-error'), error.message);
}

function showMasks() {
  byId('everything').disabled = byId('photo-remove').disabled = !photo;
  byId('everything').disabled ||= !photo?.id;
  byId('prompt-undo').disabled = byId('prompt-clear').disabled = !prompts.length;
  for (const id of ['download-mask', 'download-cutout', 'download-json']) byId(id).disabled = !masks.length;
  const entry = (index, text, colour, more) => h('li', {}, h('button',
    {type: 'button', 'aria-pressed': String(chosen === index), onclick: () => { chosen = index; showMasks(); byId('masks').children[index + (masks.length > 1 ? 1 : 0)]?.firstChild.focus(); }},
    swatch(colour), text, h('small', {}, more)));
  const total = photo ? photo.width * photo.height : 1;
  byId('masks').replaceChildren(
    ...(masks.length > 1 ? [entry(-1, 'All', null, '')] : []),
    ...masks.map((m, i) => entry(i, `Mask ${i + 1}`, m.colour, `${(100 * m.area / total).toFixed(1)} % · ${m.score.toFixed(2)}`)));
  draw();
}

function swatch(colour) {
  const element = h('i', {'aria-hidden': 'true'});
  if (colour) element.style.background = colour;
  return element;
}

const shown = () => chosen < 0 ? masks : masks.slice(chosen, chosen + 1);

function draw() {
  if (!photo) return;
  const context = canvas.getContext('2d');
  const unit = Math.max(photo.width, photo.height) / 160;
  context.setTransform(photo.zoom, 0, 0, photo.zoom, 0, 0);
  context.globalAlpha = 1;
  context.drawImage(photo.bitmap, 0, 0);
  context.globalAlpha = 0.55;
  for (const mask of shown()) context.drawImage(mask.layer, 0, 0);
  context.globalAlpha = 1;
  context.lineWidth = unit / 2;
  for (const prompt of prompts) {
    if (prompt.box) drawBox(context, prompt.box);
    else drawPoint(context, prompt, unit);
  }
  if (drag?.box) drawBox(context, drag.box);
  if (cross) drawCross(context, unit);
}

function drawPoint(context, {x, y, label}, unit) {
  context.beginPath();
  context.arc(x, y, 1.6 * unit, 0, 2 * Math.PI);
  context.fillStyle = label ? '#16a34a' : '#dc2626';
  context.fill();
  context.strokeStyle = '#fff';
  context.stroke();
  // A plus or a minus, for those who do not see the colours apart.
  context.beginPath();
  context.moveTo(x - 0.8 * unit, y);
  context.lineTo(x + 0.8 * unit, y);
  if (label) {
    context.moveTo(x, y - 0.8 * unit);
    context.lineTo(x, y + 0.8 * unit);
  }
  context.stroke();
}

function drawBox(context, [left, top, right, bottom]) {
  context.strokeStyle = '#fff';
  context.strokeRect(left, top, right - left, bottom - top);
}

function drawCross(context, unit) {
  for (const [colour, width] of [['#000', unit], ['#fff', unit / 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(cross.x - 4 * unit, cross.y);
    context.lineTo(cross.x + 4 * unit, cross.y);
    context.moveTo(cross.x, cross.y - 4 * unit);
    context.lineTo(cross.x, cross.y + 4 * unit);
    context.stroke();
  }
}

function at(event) {
  const box = canvas.getBoundingClientRect();
  const inside = (value, size) => Math.min(size - 1, Math.max(0, Math.round(value)));
  return {x: inside((event.clientX - box.left) * photo.width / box.width, photo.width),
    y: inside((event.clientY - box.top) * photo.height / box.height, photo.height)};
}

function pointerDown(event) {
  if (!photo || event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  drag = {from: at(event), screen: [event.clientX, event.clientY], box: null};
}

function pointerMove(event) {
  if (!drag) return;
  const [x, y] = drag.screen;
  if (!drag.box && Math.hypot(event.clientX - x, event.clientY - y) < 6) return;
  const to = at(event);
  drag.box = [Math.min(drag.from.x, to.x), Math.min(drag.from.y, to.y), Math.max(drag.from.x, to.x), Math.max(drag.from.y, to.y)];
  draw();
}

function pointerUp(event) {
  if (!drag) return;
  const {from, box} = drag;
  drag = null;
  if (!box) return addPoint(from, event.shiftKey);
  if (box[2] - box[0] < 2 || box[3] - box[1] < 2) return draw();
  prompts = prompts.filter(p => !p.box).concat({box});
  askPrompts();
}

function addPoint({x, y}, background) {
  const kind = Number(document.querySelector('#point-kind :checked').value);
  prompts.push({x, y, label: background ? 0 : kind});
  askPrompts();
}

function keyDown(event) {
  if (!photo) return;
  const step = Math.max(1, Math.round(Math.max(photo.width, photo.height) / (event.ctrlKey ? 400 : 50)));
  const moves = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step]};
  if (event.key in moves) {
    const [dx, dy] = moves[event.key];
    cross ??= {x: Math.round(photo.width / 2), y: Math.round(photo.height / 2)};
    cross.x = Math.min(photo.width - 1, Math.max(0, cross.x + dx));
    cross.y = Math.min(photo.height - 1, Math.max(0, cross.y + dy));
    say(`${cross.x}, ${cross.y}`);
    draw();
  } else if (event.key === 'Enter' && cross) {
    addPoint(cross, event.shiftKey);
  } else if (event.key === 'Backspace' && prompts.length) {
    prompts.pop();
    askPrompts();
  } else {
    return;
  }
  event.preventDefault();
}

const toBlob = from => new Promise(resolve => from.toBlob(resolve, 'image/png'));
const name = ending => photo.file.name?.replace(/\.\w+$/, '') + ending;

/// White where a shown mask is, black elsewhere.
async function saveMask() {
  const out = union();
  const context = out.getContext('2d');
  context.globalCompositeOperation = 'source-in';
  context.fillStyle = '#fff';
  context.fillRect(0, 0, out.width, out.height);
  context.globalCompositeOperation = 'destination-over';
  context.fillStyle = '#000';
  context.fillRect(0, 0, out.width, out.height);
  download(name('-mask.png'), await toBlob(out));
}

/// The photo where a shown mask is, transparent elsewhere.
async function saveCutout() {
  const out = union();
  const context = out.getContext('2d');
  context.globalCompositeOperation = 'source-in';
  context.drawImage(photo.bitmap, 0, 0);
  download(name('-cutout.png'), await toBlob(out));
}

function union() {
  const out = h('canvas', {width: photo.width, height: photo.height});
  for (const mask of shown()) out.getContext('2d').drawImage(mask.layer, 0, 0);
  return out;
}

function saveJson() {
  const content = {width: photo.width, height: photo.height, prompts,
    masks: shown().map(({layer, colour, png, ...rest}) => rest)};
  download(name('.json'), new Blob([JSON.stringify(content, null, 1)], {type: 'application/json'}));
}
